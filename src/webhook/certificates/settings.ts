/** From flags to where the certificate comes from. */

import { WEBHOOK_PATH } from '../../api/keys.ts';
import type { WebhookConfigurationOptions } from '../configuration.ts';
import { CertificateSettingsError } from './certificate-manager.ts';
import type { CertificateSource } from './source.ts';

export interface CertificateSettings {
  readonly certificates?: 'self' | 'files' | undefined;
  readonly tlsCertFile?: string | undefined;
  readonly tlsKeyFile?: string | undefined;
  readonly namespace: string;
  readonly serviceName: string;
  readonly registerUrl?: URL | undefined;
  readonly failurePolicy: 'Ignore' | 'Fail';
  readonly timeoutSeconds: number;
  readonly exemptNamespaces: ReadonlySet<string>;
  readonly namespaceSelector: NonNullable<WebhookConfigurationOptions['namespaceSelector']>;
}

const FOLDER = '/etc/gpu-autoscaler/tls';

/** @throws CertificateSettingsError */
export function certificateSource(settings: CertificateSettings): CertificateSource {
  const { tlsCertFile, tlsKeyFile, namespace, serviceName, registerUrl, exemptNamespaces } = settings;
  const { namespaceSelector } = settings;
  const named = tlsCertFile !== undefined || tlsKeyFile !== undefined;
  const { certificates = named ? 'files' : 'self', failurePolicy, timeoutSeconds } = settings;
  if (certificates === 'files') {
    if (registerUrl) {
      throw new CertificateSettingsError(
        '--register-url: only with --certificates self, since with files no caBundle is registered',
      );
    }
    const certFile = tlsCertFile ?? `${FOLDER}/tls.crt`;
    return { from: 'files', certFile, keyFile: tlsKeyFile ?? `${FOLDER}/tls.key` };
  }
  if (named) throw new CertificateSettingsError('--tls-cert-file, --tls-key-file: not with --certificates self');
  if (!registerUrl) return { from: 'secret', namespace, serviceName };
  return {
    from: 'secret',
    namespace,
    serviceName,
    // An IPv6 address is written in brackets only within a URL.
    extraNames: [registerUrl.hostname.replace(/^\[(.*)\]$/, '$1')],
    owned: {
      clientConfig: { url: new URL(WEBHOOK_PATH, registerUrl).href },
      exemptNamespaces: [...exemptNamespaces],
      namespaceSelector,
      failurePolicy,
      timeoutSeconds,
    },
  };
}
