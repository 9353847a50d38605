/** The explorations, in a chunk of their own: what is opened first fetches all four. */
import './explore.css'
import type { ComponentType } from 'preact'
import type { Exploration } from '../state/explore.ts'
import { Funnel } from './funnel.tsx'
import { Paths } from './paths.tsx'
import { Retention } from './retention.tsx'
import { Why } from './why.tsx'

export const views: Readonly<Record<Exploration, ComponentType>> = { funnel: Funnel, paths: Paths, retention: Retention, why: Why }
