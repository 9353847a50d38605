import { describeModel } from './model.ts'

describeModel(0, 2)
