// Names with values, and texts that are code.

import type { ComponentChildren } from "preact";
import { parsed } from "./model.ts";

export function Facts({ rows, bad = "" }: { rows: Record<string, unknown>; bad?: string }) {
  const shown = Object.entries(rows).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return (
    <dl class="facts-list">
      {shown.map(([key, value]) => (
        <div>
          <dt>{key.replaceAll("_", " ")}</dt>
          <dd class={key === bad ? "actual" : ""}>{typeof value === "object" ? JSON.stringify(value) : String(value)}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Value({ text }: { text: string }) {
  const value = parsed(text);
  return <Code text={typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : text || "(empty)"} />;
}

export function Code({ text }: { text: ComponentChildren }) {
  return <pre class="code" tabIndex={0}>{text}</pre>;
}
