/** Partitions of the hits and events topics (data.md §4.1). Embedded mode has one; a site has one shard until it is sharded. */
export const partitionCount = 1

/** Partition that holds a site's shard. */
export const partitionOf = (_site: string, _shard: number): number => 0
