{{- define "gpu-autoscaler.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "gpu-autoscaler.labels" -}}
app.kubernetes.io/name: gpu-autoscaler
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "gpu-autoscaler.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "gpu-autoscaler.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* Mounted, unless the webhook keeps its certificates itself. */}}
{{- define "gpu-autoscaler.certificateSecret" -}}
{{- $certificates := .Values.admissionWebhook.certificates -}}
{{- if eq $certificates.mode "files" -}}
{{ required "admissionWebhook.certificates.secretName: a Secret of type kubernetes.io/tls" $certificates.secretName }}
{{- else -}}
webhook-server-cert
{{- end -}}
{{- end }}
