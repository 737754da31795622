/// How the server's pages look: one style for all, light and dark.
enum PageStyle {
  static let common = """
    :root { color-scheme: light dark; --ink: #1c2430; --soft: #667080; --line: #d9dee6; --back: #fbfcfe; --accent: #2457c5; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e6eaf0; --soft: #98a2b3; --line: #333c4a; --back: #12161d; --accent: #7da2ff; }
    }
    body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
    main { max-width: 56rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
    h1 { font-size: 1.5rem; margin: 0 0 1rem; }
    label { display: block; color: var(--soft); font-size: .875rem; }
    textarea, select, button, input { font: inherit; color: var(--ink); background: transparent; border: 1px solid var(--line); border-radius: 6px; padding: .5rem .6rem; }
    select option { color: #1c2430; }
    textarea { display: block; box-sizing: border-box; width: 100%; margin-top: .25rem; resize: vertical; }
    .row { display: flex; flex-wrap: wrap; gap: 1rem; align-items: end; margin-top: .75rem; }
    button { background: var(--accent); border-color: var(--accent); color: #fff; padding: .5rem 1.25rem; cursor: pointer; }
    @media (prefers-color-scheme: dark) { button { color: #12161d; } }
    .about { color: var(--soft); margin: 1.5rem 0 .5rem; }
    table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
    th, td { text-align: left; padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
    thead th { color: var(--soft); font-weight: 500; font-size: .875rem; }
    small { font-weight: 400; }
    .faint { color: var(--soft); }
    """
}
