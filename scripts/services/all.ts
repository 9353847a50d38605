import { alertmanager } from './alertmanager.ts'
import { cassandra } from './cassandra.ts'
import { kafka } from './kafka.ts'
import { nats } from './nats.ts'
import { prometheus } from './prometheus.ts'
import { redis } from './redis.ts'
import type { Service } from './service.ts'

/** All services, as help lists them. */
export const services: readonly Service[] = [kafka, cassandra, redis, nats, prometheus, alertmanager]
