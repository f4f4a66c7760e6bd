// What a load came to: its course, a row for each act, and why requests failed.

import { useMemo } from "preact/hooks";
import { Facts } from "./facts.tsx";
import type { LoadFigures, Measured } from "./model.ts";
import { Plot, type Curve } from "./plot.tsx";
import { scaleOf } from "./scale.ts";

const ms = (seconds: number) => `${Math.round(seconds * 1000)} ms`;

export function Load({ figures }: { figures: LoadFigures }) {
  const at = useMemo(() => figures.samples.map((each) => each.at * 1000), [figures]);
  const scale = useMemo(() => scaleOf(at, at.at(-1) ?? 1, false), [at]);
  const curves = useMemo(
    (): Curve[] => [
      { label: "messages", values: figures.samples.map((each) => each.waiting), colour: "--warn", axis: "left" },
      { label: "requests a second", values: figures.samples.map((each) => each.rate), colour: "--work", axis: "right" },
    ],
    [figures],
  );
  return (
    <>
      <h3>What it came to</h3>
      <Facts rows={{ rounds: figures.iterations, took: `${figures.seconds} s` }} />
      <Plot at={at} curves={curves} scale={scale} name="Messages in queues and requests a second, while the load went on" left="messages" right="requests / s" />
      <table class="changes">
        <caption>Requests of each act</caption>
        <thead>
          <tr>
            {["act", "requests", "failed", "a second", "p50", "p95", "p99", "max"].map((name) => (
              <th scope="col">{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...Object.entries(figures.acts), ["all", figures] as [string, Measured]].map(([name, each]) => (
            <tr class={each.failures ? "bad" : ""}>
              <td>{name}</td>
              <td>{each.requests}</td>
              <td>{each.failures}</td>
              <td>{each.rate}</td>
              {[each.p50, each.p95, each.p99, each.max].map((seconds) => (
                <td>{ms(seconds)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {figures.errors.length ? (
        <table class="changes">
          <caption>Why requests failed</caption>
          <thead>
            <tr>
              <th scope="col">act</th>
              <th scope="col">error</th>
              <th scope="col">times</th>
            </tr>
          </thead>
          <tbody>
            {figures.errors.map((each) => (
              <tr>
                <td>{each.act}</td>
                <td>{each.error}</td>
                <td>{each.count}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </>
  );
}
