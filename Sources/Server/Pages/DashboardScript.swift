/// The script of the page at `/`.
enum DashboardScript {
  static let text = #"""
    "use strict";
    const $ = id => document.getElementById(id);
    let running = null;
    // The decision whose answer is shown.
    let shown = null;
    // The image that the prompt shows, as a data: address.
    let image = null;

    function headers() {
      const key = $("key").value;
      return key ? {"Authorization": "Bearer " + key} : {};
    }

    async function problem(response) {
      if (response.status === 401) $("key-row").hidden = false;
      let message = response.status + " " + response.statusText;
      try { message = (await response.json()).error.message; } catch (_) { /* no JSON: the status says it */ }
      return new Error(message);
    }

    async function get(path) {
      const response = await fetch(path, {headers: headers()});
      if (!response.ok) throw await problem(response);
      return response.json();
    }

    // Text, never HTML: prompts, answers and names may hold anything.
    function element(name, text, kind) {
      const made = document.createElement(name);
      if (text !== undefined && text !== null) made.textContent = text;
      if (kind) made.className = kind;
      return made;
    }

    function row(cells) {
      const made = element("tr");
      cells.forEach(([text, kind, title]) => {
        const cell = element("td", text, kind);
        if (title) cell.title = title;
        made.append(cell);
      });
      return made;
    }

    function number(value, digits) { return value === undefined || value === null ? "" : value.toFixed(digits); }

    function show(decision, expert) {
      $("result").hidden = false;
      const chosen = decision.experts.find(e => e.expert === expert) || {};
      let why = expert + " answers";
      if (chosen.predicted_loss !== undefined) {
        why += ": " + number(chosen.predicted_loss, 3) + " bits per byte " + (chosen.assumed ? "expected" : "predicted");
      }
      if (decision.runner_up) why += ", " + number(decision.margin, 3) + " before " + decision.runner_up;
      why += " (" + decision.strategy + ", " + number(decision.milliseconds, 1) + " ms)";
      $("why").textContent = why;
      const worst = Math.max(...decision.experts.map(e => e.total || 0), 0.001);
      const ranked = [...decision.experts].sort((a, b) =>
        (a.eligible ? 0 : 1) - (b.eligible ? 0 : 1) || (a.total || 0) - (b.total || 0));
      $("losses").replaceChildren(...ranked.map(e => {
        const line = element("div", null, e.expert === expert ? "bar chosen" : "bar");
        line.append(element("span", e.expert, "name"));
        if (!e.eligible) {
          line.append(element("span", e.reason ? e.reason.message : "not eligible", "off"));
          return line;
        }
        const meter = element("meter");
        meter.min = 0;
        meter.max = worst;
        meter.value = e.total || 0;
        const goals = Object.entries(e.goals || {}).filter(([, term]) => term.weight > 0);
        // Where the router knows nobody, the goals alone decide.
        const loss = e.predicted_loss || 0;
        const sum = number(e.predicted_loss, 3) + (goals.length ? " + " + number(e.total - loss, 3) : "");
        meter.title = [
          ...goals.map(([name, term]) => name + " " + number(term.term, 3)),
          e.feedback ? number(e.feedback.term, 3) + " of the loss by feedback" : "",
        ].filter(Boolean).join(", ");
        line.append(meter, element("span", sum));
        return line;
      }));
    }

    function ended(event) {
      const usage = event.usage || {}, timings = event.timings || {};
      $("usage").textContent = [
        usage.completion_tokens + " tokens",
        usage.completion_tokens_details ? usage.completion_tokens_details.reasoning_tokens + " of them thinking" : "",
        timings.first_token_ms !== undefined ? "first after " + number(timings.first_token_ms, 0) + " ms" : "",
        timings.decode_tokens_per_second ? number(timings.decode_tokens_per_second, 0) + " a second" : "",
        usage.cost_usd !== undefined ? "$" + usage.cost_usd.toPrecision(2) : "",
        event.finish_reason === "length" ? "cut off by the limit" : "",
      ].filter(Boolean).join(", ");
    }

    async function ask(generates) {
      if (running) running.abort();
      const mine = running = new AbortController();
      $("problem").hidden = true;
      $("thinking").hidden = true;
      $("thoughts").textContent = $("answer").textContent = $("usage").textContent = $("judged").textContent = "";
      $("judge").hidden = true;
      const body = {generate: generates, stream: generates};
      if (image) {
        const parts = [{type: "image_url", image_url: {url: image}}];
        if ($("prompt").value) parts.push({type: "text", text: $("prompt").value});
        body.messages = [{role: "user", content: parts}];
      } else {
        body.prompt = $("prompt").value;
      }
      if (generates) body.max_tokens = Number($("tokens").value) || 128;
      if ($("goal").value) body.flags = {[$("goal").value]: Number($("weight").value) || 0};
      if ($("local").checked) body.constraints = {local_only: true};
      $("stop").hidden = !generates;
      try {
        const response = await fetch("/route", {
          method: "POST", body: JSON.stringify(body), signal: mine.signal,
          headers: {"Content-Type": "application/json", ...headers()}});
        if (!response.ok) throw await problem(response);
        if (!generates) {
          const reply = await response.json();
          show(reply.decision, reply.expert);
        } else {
          await read(response);
        }
      } catch (error) {
        if (error.name !== "AbortError") {
          $("problem").textContent = error.message;
          $("problem").hidden = false;
        }
      } finally {
        if (running === mine) {
          running = null;
          $("stop").hidden = true;
          refresh();
        }
      }
    }

    // The server's events: the decision, pieces of thinking and of text, the end; or an error midway.
    async function read(response) {
      const reader = response.body.getReader(), decoder = new TextDecoder();
      let buffer = "";
      for (;;) {
        const {done, value} = await reader.read();
        if (done) return;
        buffer += decoder.decode(value, {stream: true});
        const events = buffer.split("\n\n");
        buffer = events.pop();
        for (const event of events) {
          const name = (event.match(/^event: (.*)$/m) || [])[1];
          const data = (event.match(/^data: (.*)$/m) || [])[1];
          if (!data) continue;
          const found = JSON.parse(data);
          if (name === "decision") { show(found.decision, found.expert); shown = found.id; }
          else if (name === "reasoning") {
            // Open while it is all there is; the reader may close it.
            if ($("thinking").hidden) { $("thinking").hidden = false; $("thinking").open = true; }
            $("thoughts").textContent += found.reasoning;
          } else if (name === "text") {
            if (!$("answer").textContent) $("thinking").open = false;
            $("answer").textContent += found.text;
          }
          else if (name === "end") { ended(found); $("judge").hidden = false; }
          else if (name === "error") throw new Error(found.error.message);
        }
      }
    }

    function look(file) {
      const reader = new FileReader();
      reader.onload = () => see(reader.result);
      reader.readAsDataURL(file);
    }

    function see(url) {
      image = url;
      $("image-row").hidden = !url;
      if (url) $("image").src = url; else { $("image").removeAttribute("src"); $("file").value = ""; }
      // An image is a question by itself.
      $("prompt").required = !url;
    }

    async function judge(score) {
      try {
        const response = await fetch("/feedback", {
          method: "POST", body: JSON.stringify({decision: shown, score: score}),
          headers: {"Content-Type": "application/json", ...headers()}});
        if (!response.ok) throw await problem(response);
        const said = await response.json();
        $("judged").textContent = said.learned
          ? (score > 0 ? "Prompts like this one rather go to " : "Prompts like this one rather don't go to ") + said.expert + " now."
          : "Noted. Decisions don't follow it: " + said.reason + ".";
      } catch (error) {
        $("judged").textContent = error.message;
      }
    }

    async function refresh() {
      const [experts, decisions] = await Promise.allSettled([get("/experts"), get("/decisions?limit=12")]);
      if (experts.status === "fulfilled") {
        $("experts").replaceChildren(...experts.value.experts.map(e => {
          // Of one whose card can't be used nothing was measured.
          const measured = e.measured || {};
          const each = measured.per_token_milliseconds, place = (e.runs || "").replaceAll("_", " ");
          return row([
            [e.id, "", e.description || e.name || ""], [place], [(e.obstacle || e.state) + (e.reads_images ? ", reads images" : ""), e.obstacle ? "faint" : ""],
            [measured.answers || 0],
            [measured.first_token_milliseconds ? number(measured.first_token_milliseconds, 0) + " ms" : ""],
            [each ? number(1000 / each, 0) + " tokens" : ""],
          ]);
        }));
      }
      if (decisions.status === "fulfilled") {
        $("decisions").replaceChildren(...decisions.value.decisions.map(d => {
          const loss = (d.experts || []).find(e => e.expert === d.expert);
          const what = [
            d.error || d.status, d.completion_tokens ? d.completion_tokens + " tokens" : "",
            d.total_ms ? number(d.total_ms / 1000, 1) + " s" : "", d.cost_usd ? "$" + d.cost_usd.toPrecision(2) : "",
            d.key_name ? "for " + d.key_name : "",
          ].filter(Boolean).join(", ");
          return row([
            [new Date(d.time).toLocaleTimeString()], [d.prompt || "not kept", "prompt", (d.prompt || "").slice(0, 300)],
            [d.expert + (loss && loss.predicted_loss !== undefined ? " (" + number(loss.predicted_loss, 2) + ")" : ""), "name"],
            [what],
          ]);
        }));
      }
    }

    $("ask").addEventListener("submit", event => { event.preventDefault(); ask(true); });
    $("decide").addEventListener("click", () => { if ($("ask").reportValidity()) ask(false); });
    $("stop").addEventListener("click", () => { if (running) running.abort(); });
    $("good").addEventListener("click", () => judge(1));
    $("bad").addEventListener("click", () => judge(-1));
    $("key").addEventListener("change", refresh);
    $("file").addEventListener("change", () => { if ($("file").files[0]) look($("file").files[0]); });
    $("no-image").addEventListener("click", () => see(null));
    $("prompt").addEventListener("paste", event => {
      const found = [...event.clipboardData.files].find(file => file.type.startsWith("image/"));
      if (found) { event.preventDefault(); look(found); }
    });
    $("prompt").addEventListener("keydown", event => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); $("ask").requestSubmit(); }
    });
    refresh();
    setInterval(() => { if (!document.hidden && !running) refresh(); }, 5000);

    """#
}
