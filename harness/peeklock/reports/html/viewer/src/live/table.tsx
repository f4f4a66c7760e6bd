// A table of the live page.

import type { ComponentChildren } from "preact";

interface Props {
  columns: ComponentChildren[];
  /** That of the columns whose cells are numbers. */
  number?: string;
  kind?: string;
  /** What it has, of one that is wide enough to be scrolled. */
  label?: string;
  /** Whether it takes the room that is left. */
  grow?: boolean;
  /** Rows. */
  children: ComponentChildren;
}

export function LiveTable({ columns, number, kind = "", label, grow = false, children }: Props) {
  return (
    <div class={`live-scroll ${grow ? "grow" : ""}`} {...(label ? { tabIndex: 0, role: "region", "aria-label": label } : {})}>
      <table class={`live-table ${kind}`}>
        <thead>
          <tr>
            {columns.map((each) => (
              <th scope="col" class={number !== undefined && each === number ? "number" : ""}>{each}</th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
