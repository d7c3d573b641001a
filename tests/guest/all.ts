// SPDX-License-Identifier: MIT

/**
 * The files of cases, in the order in which they run.
 *
 * @module
 */
import "./plug.ts";
import "./accesses.ts";
import "./odd.ts";
import "./mappings.ts";
import "./no_memory.ts";
import "./mapping_costs.ts";
import "./watch.ts";
import "./watch_uapi.ts";
import "./accessors.ts";
import "./vectors.ts";
import "./consumers.ts";
import "./user_mappings.ts";
import "./user_processes.ts";
import "./failures.ts";
import "./registers.ts";
import "./register_handlers.ts";
import "./config.ts";
import "./interrupts.ts";
import "./dma.ts";
import "./ordering.ts";
import "./full_ring.ts";
import "./waiting.ts";
import "./wake_ups.ts";
import "./scale.ts";
import "./uapi.ts";
import "./uapi_structs.ts";
import "./uapi_plug.ts";
import "./uapi_maps.ts";
import "./random_ioctls.ts";
import "./registers_uapi.ts";
import "./registers_fallback.ts";
import "./registers_refused.ts";
import "./edu_oracle.ts";
import "./processes.ts";
import "./hostile.ts";
import "./module.ts";
import "./fail_nth.ts";
import "./leaks.ts";

export { cases } from "./harness.ts";
