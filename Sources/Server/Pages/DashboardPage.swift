import HTTP

/// The page at `/`: ask, see why which expert was chosen, what the experts are doing, and the latest decisions.
///
/// It holds no data of its own and needs no key: its script asks the server's routes, with the key that the reader
/// types where one is asked for. All that comes from there is put in as text, never as HTML, and the page's policy
/// allows no script but its own.
enum DashboardPage {
  static let page = response(html, "text/html; charset=utf-8")
  static let script = response(DashboardScript.text, "text/javascript; charset=utf-8")

  private static func response(_ text: String, _ type: String) -> HTTPResponse {
    var response = HTTPResponse(status: .ok, body: .bytes(Array(text.utf8)))
    response.headers.set("Content-Type", type)
    response.headers.set("Cache-Control", "no-cache")
    response.headers.set("X-Content-Type-Options", "nosniff")
    response.headers.set("Referrer-Policy", "no-referrer")
    response.headers.set(
      "Content-Security-Policy",
      "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
        + "img-src data:; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
    return response
  }

  private static let html = """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Thalamus</title>
    <style>\(PageStyle.common)
    \(style)</style>
    </head>
    <body>
    <main>
    <h1>Thalamus</h1>
    <form id="ask">
    <label>Prompt
    <textarea id="prompt" rows="3" required placeholder="Write a Python function that reverses a string."></textarea>
    </label>
    <div class="row">
    <label>Goal <select id="goal"><option value="">none</option><option>size</option><option>recency</option><option>security</option><option>latency</option><option>cost</option><option>verbosity</option><option>readability</option></select></label>
    <label>Weight <input id="weight" type="number" min="0" max="100" step="0.1" value="0.3"></label>
    <label>Tokens <input id="tokens" type="number" min="1" max="4096" value="128"></label>
    <label>Image <input id="file" type="file" accept="image/png,image/jpeg,image/webp"></label>
    <label class="check"><input id="local" type="checkbox"> stays on this machine</label>
    <button type="submit">Ask</button>
    <button type="button" id="decide" class="plain">Decide only</button>
    <button type="button" id="stop" class="plain" hidden>Stop</button>
    </div>
    <p id="image-row" hidden><img id="image" alt="The image that the prompt shows"> <button type="button" id="no-image" class="plain">Without it</button></p>
    <label id="key-row" hidden>Key <input id="key" type="password" autocomplete="off" placeholder="this server asks for one"></label>
    </form>
    <section id="result" hidden>
    <p class="about" id="why"></p>
    <div id="losses"></div>
    <details id="thinking" hidden><summary>Thinking</summary><p id="thoughts"></p></details>
    <p id="answer"></p>
    <p class="about" id="usage"></p>
    <p id="judge" hidden>
    <button type="button" id="good" class="plain">Good answer</button>
    <button type="button" id="bad" class="plain">Bad answer</button>
    <span class="about" id="judged"></span>
    </p>
    </section>
    <p id="problem" role="alert" hidden></p>
    <h2>Experts</h2>
    <div class="wide"><table><thead><tr><th>Expert</th><th>Runs</th><th>State</th><th>Answers</th><th>First token</th><th>A second</th></tr></thead><tbody id="experts"></tbody></table></div>
    <h2>Decisions</h2>
    <div class="wide"><table><thead><tr><th>Time</th><th>Prompt</th><th>Expert</th><th>What came of it</th></tr></thead><tbody id="decisions"></tbody></table></div>
    <p class="about"><a href="/pareto?format=html">Pareto front</a> · <a href="/metrics">metrics</a> · <a href="/readyz">state</a></p>
    </main>
    <script src="/dashboard.js"></script>
    </body>
    </html>

    """

  private static let style = """
    main { max-width: 64rem; }
    [hidden] { display: none !important; }
    h2 { font-size: 1.125rem; margin: 2.5rem 0 .5rem; }
    a { color: var(--accent); }
    .check { display: flex; gap: .4rem; align-items: center; padding: .5rem 0; }
    .plain { background: transparent; color: var(--accent); }
    #weight, #tokens { width: 5.5rem; }
    #file { width: 13rem; }
    #image-row { display: flex; gap: .75rem; align-items: end; margin: .75rem 0 0; }
    #image { max-height: 8rem; max-width: 60%; border-radius: 6px; }
    #key-row { margin-top: .75rem; }
    #answer { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--accent); padding: .25rem 0 .25rem 1rem; margin: 1.25rem 0 .5rem; }
    #thinking { color: var(--soft); margin: 1.25rem 0 .5rem; }
    #thinking summary { cursor: pointer; }
    #thoughts { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .9375rem; padding-left: 1rem; margin: .5rem 0; }
    #answer:empty { display: none; }
    #problem { border: 1px solid #b3261e; border-radius: 6px; padding: .5rem .75rem; overflow-wrap: anywhere; }
    .wide { overflow-x: auto; }
    .bar { display: grid; grid-template-columns: minmax(8rem, 15rem) 1fr 7.5rem; gap: .75rem; align-items: center; font-size: .875rem; line-height: 1.9; font-variant-numeric: tabular-nums; }
    .bar .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    .bar meter { width: 100%; height: .8rem; }
    .bar.chosen { font-weight: 600; }
    .bar .off { grid-column: 2 / 4; color: var(--soft); }
    td:first-child, td.name { white-space: nowrap; }
    td.prompt { max-width: 22rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
    """
}
