import { timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import { type Handler, json, type Reply, type Request } from '#shared/handler.ts'
import { type Deployment, deploymentSchema } from './deployment.ts'
import { type Functions, Refused, type Seen } from './functions.ts'
import { logLines } from './logs.ts'
import { type Secrets, secretSchema } from './secrets.ts'

/**
 * The REST API of an OpenFaaS provider (faas-provider): what the gateway calls, and faas-cli through it. Invocations do not come here: they
 * go from HAProxy to the replicas.
 */
export type ApiOptions = { functions: Functions; secrets: Secrets; user: string; password: string; version: string }

const namespace = 'openfaas-fn'

const text = (status: number, body: string): Reply => ({ status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body })
const accepted = text(202, '')

const removeSchema = z.object({ functionName: z.string(), namespace: z.string().optional() })
const scaleSchema = z.object({ serviceName: z.string(), replicas: z.number().int(), namespace: z.string().optional() })

const read = <T extends z.ZodType>(schema: T, { body }: Request): z.output<T> => {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    throw new Refused(400, 'The body is no JSON.')
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Refused(400, `${issue!.path.join('.')}: ${issue!.message}`)
}

const isSame = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

/** Names come with and without their namespace. */
const plainName = (name: string): string => name.replace(new RegExp(`\\.${namespace}$`), '')

const checkNamespace = (asked: string | undefined | null): void => {
  if (asked !== undefined && asked !== null && asked !== '' && asked !== namespace)
    throw new Refused(400, `There is the namespace ${namespace} alone.`)
}

const statusOf = ({ deployment, replicas, available, updated, running, createdAt }: Seen) => {
  const { service, labels, annotations, envVars, secrets, ...rest } = deployment
  return {
    name: service,
    ...rest,
    namespace,
    envVars,
    secrets,
    labels: { ...labels, faas_function: service },
    annotations,
    invocationCount: 0, // the gateway's, from Prometheus
    replicas,
    availableReplicas: available,
    // As a Deployment of Kubernetes says it: by these a rolling update is seen to be over.
    updatedReplicas: updated,
    runningReplicas: running,
    createdAt,
  }
}

/** Where metrics are scraped, as Prometheus finds it (http_sd): of functions that say so, as pods of Kubernetes do, each replica that takes requests. */
const targetsOf = (functions: Functions) =>
  functions
    .all()
    .filter(({ deployment }) => deployment.annotations['prometheus.io.scrape'] === 'true')
    .flatMap(({ deployment: { service, annotations } }) =>
      functions
        .replicas(service)
        .filter(({ isReady }) => isReady)
        .map(({ slot, server }) => ({
          targets: [server.address],
          labels: { function: service, replica: `${service}-${slot}`, __metrics_path__: annotations['prometheus.io.path'] ?? '/metrics' },
        })),
    )

export const createApi = ({ functions, secrets, user, password, version }: ApiOptions): Handler => {
  const credentials = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

  const deploy = async (request: Request, isUpdate: boolean): Promise<Reply> => {
    const deployment: Deployment = read(deploymentSchema, request)
    checkNamespace(deployment.namespace)
    for (const name of deployment.secrets)
      if (!(await secrets.has(name)))
        throw new Refused(400, `There is no secret ${name}: create it with \`faas-cli secret create ${name}\`.`)
    await functions.deploy(deployment, isUpdate)
    return accepted
  }

  const onFunctions = async (request: Request): Promise<Reply> => {
    switch (request.method) {
      case 'GET':
        return json(200, functions.all().map(statusOf))
      case 'POST':
        return deploy(request, false)
      case 'PUT':
        return deploy(request, true)
      case 'DELETE': {
        const { functionName, namespace: asked } = read(removeSchema, request)
        checkNamespace(asked)
        await functions.remove(plainName(functionName))
        return accepted
      }
      default:
        return text(405, '')
    }
  }

  const onSecrets = async (request: Request): Promise<Reply> => {
    if (request.method === 'GET')
      return json(
        200,
        (await secrets.names()).map((name) => ({ name, namespace })),
      )
    const secret = read(secretSchema, request)
    checkNamespace(secret.namespace)
    const isThere = await secrets.has(secret.name)
    if (request.method === 'POST' && isThere) return text(409, `There is a secret ${secret.name} already: update it.`)
    if (request.method !== 'POST' && !isThere) return text(404, `There is no secret ${secret.name}.`)
    if (request.method === 'DELETE') await secrets.remove(secret.name)
    else if (request.method === 'POST' || request.method === 'PUT') await secrets.put(secret)
    else return text(405, '')
    return accepted
  }

  const onLogs = (query: URLSearchParams, signal: AbortSignal | undefined): Reply => {
    const name = plainName(query.get('name') ?? '')
    const instance = query.get('instance')
    const sources = functions
      .replicas(name)
      .map(({ slot, server }) => ({ instance: `${name}-${slot}`, path: server.log }))
      .filter((source) => !instance || source.instance === instance)
    const since = Date.parse(query.get('since') ?? '')
    const tail = Number(query.get('tail') ?? '')
    const lines = logLines(sources, {
      name,
      since: Number.isNaN(since) ? undefined : since,
      tail: Number.isInteger(tail) && tail > 0 ? tail : undefined,
      follow: query.get('follow') === 'true' || query.get('follow') === '1',
      signal,
    })
    return { status: 200, headers: { 'content-type': 'application/x-ndjson' }, body: lines }
  }

  const route = async (request: Request): Promise<Reply> => {
    const { method, path } = request
    const query = new URLSearchParams(request.query)
    if (path === '/healthz') return text(200, 'OK')
    // What HAProxy knows no replicas of.
    if (path.startsWith('/function/')) return text(404, `No such function: ${path.split('/')[2]}`)
    if (!isSame(request.headers['authorization'] ?? '', credentials)) return text(401, 'Wrong user or password.')
    checkNamespace(query.get('namespace'))
    if (path === '/prometheus/targets' && method === 'GET') return json(200, targetsOf(functions))
    if (path === '/system/functions') return onFunctions(request)
    if (path === '/system/secrets') return onSecrets(request)
    if (path === '/system/namespaces') return json(200, [namespace])
    if (path === '/system/info')
      return json(200, {
        provider: 'footfall-local',
        orchestration: 'processes',
        version: { release: version, sha: version, commit_message: '' },
      })
    if (path === '/system/logs' && method === 'GET') return onLogs(query, request.signal)
    const [, what, name] = /^\/system\/(function|scale-function)\/([^/]+)$/.exec(path) ?? []
    if (what === 'function' && name) return json(200, statusOf(functions.one(plainName(name))))
    if (what === 'scale-function' && name && method === 'POST') {
      const { serviceName, replicas, namespace: asked } = read(scaleSchema, request)
      checkNamespace(asked)
      await functions.scale(plainName(serviceName || name), replicas)
      return accepted
    }
    if (path.startsWith('/system/namespace/')) return text(501, 'There is one namespace.')
    return text(404, '')
  }

  return async (request) => {
    try {
      return await route(request)
    } catch (error) {
      if (error instanceof Refused) return text(error.status, error.message)
      throw error
    }
  }
}
