// A transaction in one line, as it stands in the timeline.

import type { Transaction } from "./model.ts";

export function toldOf({ changes, end, error }: Transaction): string {
  return `${changes.join(" + ")} ${end}${error ? ` by SQLSTATE ${error}` : ""}`;
}
