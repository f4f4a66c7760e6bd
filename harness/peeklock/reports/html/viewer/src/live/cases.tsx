// Scenario files and their cases: run, watched as they go, stopped; what ended leads to its report.

import { useState } from "preact/hooks";
import { cases, run, runCases, stopCases, type CaseState, type ScenarioFile } from "./api.ts";
import { useEachSecond } from "./each_second.ts";
import { useLooked } from "./feed.ts";
import { Head, Trouble, type RoomProps } from "./room.tsx";

/** One of the run; the report has it at this place. */
type Numbered = CaseState & { number: number };

const MARKS: Record<string, string> = { passed: "✓", failed: "✕", error: "!", skipped: "–", running: "…", ended: "■" };

export function Cases({ said }: RoomProps) {
  const [asked, setAsked] = useState(0);
  const [text, setText] = useState("");
  const { found, error } = useLooked(cases, "", asked);
  const { found: now, error: lost } = useEachSecond(run, "");
  const states = new Map(now?.cases.map((each, number) => [each.case, { ...each, number }]));
  const wanted = text.toLowerCase();
  const shown = (found ?? []).map((file) => ({ ...file, cases: file.cases.filter((each) => `${each.case} ${file.title} ${each.tags.join(" ")} ${each.covers.join(" ")}`.toLowerCase().includes(wanted)) })).filter((file) => file.cases.length || (file.problem && file.file.toLowerCase().includes(wanted)));
  function start(targets: string[]) {
    runCases(targets).then(() => said(""), (trouble: Error) => said(trouble.message));
  }
  function stop() {
    stopCases().then(() => said(""), (trouble: Error) => said(trouble.message));
  }
  return (
    <>
      <Head title="Cases" again={() => setAsked(asked + 1)} note={now?.run ?? ""} />
      <div class="live-tools">
        <input type="search" placeholder="Filter: name, tag, criterion  ( / )" aria-label="Filter cases" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <button type="button" class="primary" disabled={!shown.length || now?.running} onClick={() => start(wanted ? shown.flatMap((file) => file.cases.map((each) => each.case)) : shown.filter((file) => !file.problem).map((file) => file.file))}>Run {wanted ? "these" : "all"}</button>
        {now?.running ? <button type="button" class="danger" onClick={stop}>{now.stopping ? "Stop now" : "Stop after this case"}</button> : null}
        {now?.report && !now.running ? <a class="button" href="/api/report" target="_blank" rel="noreferrer">Report of {now.run}</a> : null}
      </div>
      <Trouble error={error || lost} />
      {now?.running ? <p class="live-note" role="status">{now.stopping ? "It ends after the case that runs. " : ""}{now.doing || `${now.cases.filter((each) => each.outcome !== "running").length} of ${now.planned} have ended`}</p> : null}
      {now?.said ? <pre class="code live-trouble" tabIndex={0}>{now.said}</pre> : null}
      {found && !found.length ? <p class="nothing">There is no scenario file in the folder `scenarios` of this project. `peeklock init` writes a first one.</p> : null}
      {found?.length && !shown.length ? <p class="nothing">No case has “{text}” in its name, tags or criteria.</p> : null}
      <div class="live-scroll grow">
        {shown.map((file) => <File key={file.file} file={file} states={states} busy={now?.running ?? false} start={start} report={Boolean(now?.report && !now.running)} />)}
      </div>
    </>
  );
}

function File({ file, states, busy, start, report }: { file: ScenarioFile; states: Map<string, Numbered>; busy: boolean; start: (targets: string[]) => void; report: boolean }) {
  return (
    <section class="live-file" aria-label={file.file}>
      <div class="live-head">
        <h2>{file.file} <small>{file.title}</small></h2>
        {file.problem ? null : <button type="button" disabled={busy} aria-label={`Run file ${file.file}`} onClick={() => start([file.file])}>Run file</button>}
      </div>
      {file.problem ? <pre class="code live-trouble" tabIndex={0}>{file.problem}</pre> : null}
      {file.cases.length ? (
        <table class="live-table">
          <thead class="hidden"><tr><th scope="col">case</th><th scope="col">how it is</th><th scope="col">acts</th></tr></thead>
          <tbody>
            {file.cases.map((each) => (
              <tr key={each.case}>
                <th scope="row">{each.name} <small>{[...each.tags, ...each.covers].join(" ")}</small></th>
                <td class="live-outcome"><Outcome state={states.get(each.case)} report={report} /></td>
                <td class="number"><button type="button" disabled={busy} aria-label={`Run ${each.case}`} onClick={() => start([each.case])}>Run</button></td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </section>
  );
}

function Outcome({ state, report }: { state: Numbered | undefined; report: boolean }) {
  if (!state) return null;
  const bad = state.outcome === "failed" || state.outcome === "error";
  return (
    <>
      <span class={bad ? "actual" : ""}>{MARKS[state.outcome]} {state.outcome}</span>
      {state.outcome === "running" ? <small> {state.waits ? "waits: " : ""}{state.step}</small> : state.seconds === undefined ? null : <small> {state.seconds} s</small>}
      {report && state.seconds !== undefined ? <> · <a href={`/api/report#/case/${state.number}`} target="_blank" rel="noreferrer">report</a></> : null}
      {state.reason ? <div>{state.reason}</div> : null}
      {state.cause ? <div class="note">{state.cause}</div> : null}
    </>
  );
}
