// SPDX-License-Identifier: MIT

/**
 * What the C helper exports (`barkeep.h`), for both runtimes. Every function
 * returns an `int`.
 */
export const symbols = {
  barkeep_constants: [
    "buffer", // char *text
    "u32", // uint32_t size
  ],
  barkeep_open: [
    "buffer", // const char *path
  ],
  barkeep_close: [
    "i32", // int device
  ],
  barkeep_info: [
    "i32", // int device
    "buffer", // uint32_t out[2]
  ],
  barkeep_plug: [
    "i32", // int device
    "buffer", // uint32_t numbers[7]
    "buffer", // const void *config
    "buffer", // const void *write_mask
    "buffer", // const void *clear_mask
    "buffer", // const void *notify
    "buffer", // const struct barkeep_bar *bars
    "buffer", // const struct barkeep_region *regions
    "buffer", // const struct barkeep_register *registers
    "buffer", // const struct barkeep_watch *watches
  ],
  barkeep_unplug: [
    "i32", // int device
    "u32", // uint32_t flags
  ],
  barkeep_map: [
    "i32", // int device
    "u32", // uint32_t piece
    "u32", // uint32_t bytes
    "u32", // uint32_t writable
    "buffer", // uint64_t *address
  ],
  barkeep_retire: [
    "buffer", // const uint64_t *address
    "u32", // uint32_t bytes
  ],
  barkeep_wake: [
    "i32", // int device
  ],
  barkeep_irq: [
    "i32", // int device
    "u32", // uint32_t operation
    "u32", // uint32_t vector
  ],
  barkeep_config: [
    "i32", // int device
    "u32", // uint32_t flags
    "u32", // uint32_t offset
    "u32", // uint32_t length
    "buffer", // void *buffer
  ],
  barkeep_dma: [
    "i32", // int device
    "buffer", // const struct barkeep_dma_segment *segments
    "u32", // uint32_t count
    "buffer", // struct barkeep_dma *result
  ],
  barkeep_waiter_create: [
    "buffer", // int32_t waiter[2]
  ],
  barkeep_waiter_arm: [
    "buffer", // const int32_t waiter[2]
    "i32", // int device
    "u32", // uint32_t token
  ],
  barkeep_waiter_disarm: [
    "buffer", // const int32_t waiter[2]
    "i32", // int device
  ],
  barkeep_waiter_wait: [
    "buffer", // const int32_t waiter[2]
    "buffer", // uint32_t *tokens
    "u32", // uint32_t count
  ],
  barkeep_waiter_interrupt: [
    "buffer", // const int32_t waiter[2]
  ],
  barkeep_waiter_stream: [
    "buffer", // const int32_t waiter[2]
  ],
} as const satisfies Record<string, readonly Parameter[]>;

/** A parameter in the words that both runtimes' tables are made from. */
export type Parameter = "i32" | "u32" | "buffer";

/** Memory that can be passed as a `buffer`. */
export type Memory = ArrayBufferView<ArrayBuffer>;

type Argument<P> = P extends "buffer" ? Memory : number;

type Arguments<P extends readonly Parameter[]> = {
  -readonly [Index in keyof P]: Argument<P[Index]>;
};

/** The helper's functions as JavaScript calls them. */
export type Calls = {
  readonly [Name in keyof typeof symbols]: (
    ...args: Arguments<(typeof symbols)[Name]>
  ) => number;
};
