// The page of a run: finds the data, follows the address.

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Case } from "./case.tsx";
import { Cases } from "./cases.tsx";
import { CoveragePage } from "./coverage_page.tsx";
import { loadRun } from "./data.ts";
import type { Coverage, Head, Run } from "./model.ts";
import { Root } from "./place.tsx";
import { hashOf, routeOf, EVERYTHING } from "./route.ts";

function App({ run, cases, coverage }: { run: Run; cases: Head[]; coverage: Coverage }) {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  const [back, setBack] = useState(hashOf({ view: "cases", filter: EVERYTHING }));
  useEffect(() => {
    function follow() {
      const next = routeOf(location.hash);
      if (next.view !== "case") {
        setBack(hashOf(next));
        document.title = `${next.view === "coverage" ? "coverage of " : ""}${run.run ?? "run"} · Peeklock`;
      }
      setRoute(next);
    }
    follow();
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  if (route.view === "cases") return <Cases run={run} cases={cases} filter={route.filter} />;
  if (route.view === "coverage") return <CoveragePage run={run} cases={cases} coverage={coverage} />;
  const head = cases[route.number];
  if (head) return <Case key={route.number} head={head} number={route.number} back={back} />;
  return (
    <main class="cases">
      <h1>There is no such case</h1>
      <p class="nothing">
        <a href={back}>All cases of this run</a>
      </p>
    </main>
  );
}

void loadRun().then(({ run, cases, coverage }) => {
  const place = document.getElementById("app");
  if (!place) return;
  place.textContent = "";
  render(
    <Root.Provider value={run.root ?? ""}>
      <App run={run} cases={cases} coverage={coverage} />
    </Root.Provider>,
    place,
  );
  performance.mark("shown");
});
