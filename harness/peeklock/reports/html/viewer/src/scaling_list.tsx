// How the services of a case were scaled: a chart each, and every change with its reason.

import { useMemo } from "preact/hooks";
import type { Life } from "./ledger.ts";
import type { Scaled, Story } from "./model.ts";
import { Plot, type Curve } from "./plot.tsx";
import { scaleOf } from "./scale.ts";
import { courseOf, ruleOf } from "./scaling.ts";
import { span } from "./time.ts";

export function Scaling({ story, lives }: { story: Story; lives: Life[] }) {
  return (
    <section class="pane scaling" aria-label="Scaling" tabIndex={0}>
      {story.scaled.map((scaled) => (
        <One key={scaled.service} scaled={scaled} story={story} lives={lives} />
      ))}
    </section>
  );
}

function One({ scaled, story, lives }: { scaled: Scaled; story: Story; lives: Life[] }) {
  const course = useMemo(() => courseOf(scaled, story, lives), [scaled]);
  const scale = useMemo(() => scaleOf(course.at, course.at.at(-1)!, true), [course]);
  const job = scaled.trigger !== "";
  const curves = useMemo(() => {
    const all: Curve[] = [
      { label: job ? "executions" : "wanted", values: course.wanted, colour: "--accent", axis: "right", dashed: true },
      { label: job ? "processes" : "replicas", values: course.running, colour: "--work", axis: "right" },
    ];
    return scaled.queues.length ? [{ label: "messages", values: course.messages, colour: "--warn", axis: "left" } as Curve, ...all] : all;
  }, [course]);
  return (
    <>
      <h2>{scaled.service}</h2>
      <p class="note">
        {ruleOf(scaled)}
        {scale.folds.length ? " · grey: idle time, shortened" : ""}
      </p>
      <Plot at={course.at} curves={curves} scale={scale} name={`${scaled.service}: messages and ${job ? "executions" : "replicas"} by the clock of the case`} left="messages" right={job ? "executions" : "replicas"} />
      {scaled.changes.length ? (
        <table class="changes">
          <caption>Each change, by the clock of the case</caption>
          <thead>
            <tr>
              <th scope="col">at</th>
              <th scope="col">{job ? "executions" : "replicas"}</th>
              <th scope="col">messages</th>
              <th scope="col">why</th>
            </tr>
          </thead>
          <tbody>
            {scaled.changes.map(([at, before, after, count, why]) => (
              <tr>
                <td>{span(at)}</td>
                <td>
                  {before} → <b>{after}</b>
                </td>
                <td>{scaled.queues.length ? count : ""}</td>
                <td>{why}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p class="nothing">Nothing was changed: {scaled.trigger ? "no execution began" : `it kept its ${scaled.first} replica${scaled.first === 1 ? "" : "s"}`}.</p>
      )}
      {scaled.executions.length ? (
        <table class="changes">
          <caption>Executions</caption>
          <thead>
            <tr>
              <th scope="col">began</th>
              <th scope="col">name</th>
              <th scope="col">took</th>
              <th scope="col">outcome</th>
            </tr>
          </thead>
          <tbody>
            {scaled.executions.map(([at, ended, name, status, reason]) => (
              <tr class={status === "failed" ? "bad" : ""}>
                <td>{span(at)}</td>
                <td>{name}</td>
                <td>{ended === null ? "" : span(ended - at)}</td>
                <td>{[status, reason].filter(Boolean).join(": ")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </>
  );
}
