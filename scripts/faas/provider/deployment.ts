import { z } from 'zod'

/** What faas-cli sends when it deploys a function, and what the provider says of one (faas-provider's types). */

/** RFC 1123, as Kubernetes has it: a name becomes part of a host name there. */
const name = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'a name is of a-z, 0-9 and - (63 at the most)')

const texts = z.record(z.string(), z.string())
const resources = z.object({ memory: z.string().optional(), cpu: z.string().optional() })

export const deploymentSchema = z.object({
  service: name,
  image: z.string().min(1),
  namespace: z.string().optional(),
  envProcess: z.string().optional(),
  envVars: texts.nullish().transform((vars) => vars ?? {}),
  constraints: z.array(z.string()).nullish(),
  secrets: z
    .array(z.string())
    .nullish()
    .transform((list) => list ?? []),
  labels: texts.nullish().transform((labels) => labels ?? {}),
  annotations: texts.nullish().transform((annotations) => annotations ?? {}),
  limits: resources.nullish(),
  requests: resources.nullish(),
  readOnlyRootFilesystem: z.boolean().optional(),
})
export type Deployment = z.output<typeof deploymentSchema>

/** As the open edition has it; the labels are strings. */
export const most = { functions: 15, replicas: 5 } as const

const wholeNumber = /^\d+$/

const labelOf = ({ labels }: Deployment, label: string, otherwise: number): number => {
  const text = labels[label]
  return text !== undefined && wholeNumber.test(text) ? Number(text) : otherwise
}

/** How few and how many replicas a function may have. */
export const scaleOf = (deployment: Deployment): { min: number; max: number } => ({
  min: Math.max(1, labelOf(deployment, 'com.openfaas.scale.min', 1)),
  max: Math.min(most.replicas, labelOf(deployment, 'com.openfaas.scale.max', most.replicas)),
})

const proLabels = ['zero', 'zero-duration', 'target', 'type'].map((label) => `com.openfaas.scale.${label}`)

/** Why the open edition (faas-netes CE) would refuse a deployment; undefined where it takes it. */
export const refusalOf = (deployment: Deployment): string | undefined => {
  const { min, max } = scaleOf(deployment)
  const pro = proLabels.find((label) => label in deployment.labels)
  if (pro !== undefined) return `the label ${pro} is for the Pro edition: take it out of stack.yml`
  if (labelOf(deployment, 'com.openfaas.scale.max', 1) > most.replicas || min > most.replicas)
    return `com.openfaas.scale.min and max may be ${most.replicas} at the most`
  if (min > max) return 'com.openfaas.scale.min is more than com.openfaas.scale.max'
  if (deployment.annotations['topic']?.includes(',')) return 'several topics in one annotation are for the Pro edition: name one'
  return undefined
}
