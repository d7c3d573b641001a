// SPDX-License-Identifier: GPL-2.0-only

/** Options of a command line, as `parseArgs()` takes them. */
type Flags = Readonly<Record<string, { readonly type: "string" | "boolean" }>>;

/**
 * Splits a command line into its own options and a command. The options end
 * where the command begins, so that its own are left alone; `--` before it is
 * not needed, since runtimes drop one that comes first. A value is tied to its
 * option, because parseArgs would take one that begins with a dash, as QEMU's
 * do, for an option.
 *
 * @example
 * ```ts
 * splitCommand(["--cpus", "4", "ls", "-l"], flags); // [["--cpus=4"], ["ls", "-l"]]
 * ```
 */
export function splitCommand(
  args: readonly string[],
  flags: Flags,
): [string[], string[]] {
  const own: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "--") return [own, args.slice(index + 1)];
    if (!arg.startsWith("-")) return [own, args.slice(index)];
    const takesValue = flags[arg.slice(2)]?.type === "string";
    const value = takesValue ? args[++index] : undefined;
    own.push(value === undefined ? arg : `${arg}=${value}`);
  }
  return [own, []];
}
