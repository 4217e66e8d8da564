/// The style of a page: light, dark, and on paper.
enum ReportStyle {
  /// The number of colours of curves, which colour-blind readers can tell apart (Okabe & Ito 2008).
  static let colours = 7

  static let css = """
    :root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --soft: #666; --rule: #e2e2e2;
      --box: #f6f6f6; --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #b07d00;
      --c5: #3a9bd9; --c6: #000 }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e8e8e8; --paper: #161616; --soft: #a0a0a0; --rule: #383838; --box: #222;
        --c0: #56b4e9; --c1: #f08a4b; --c2: #2fc79a; --c3: #e6a0c8; --c4: #e6b93f; --c5: #8fd0f5;
        --c6: #fff }
    }
    @media print {
      :root { color-scheme: light; --ink: #000; --paper: #fff; --soft: #444; --rule: #ccc; --box: #fff }
      details { display: none }
      figure, section { break-inside: avoid }
    }
    body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--paper);
      color: var(--ink); font: 15px/1.5 system-ui, sans-serif }
    h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2rem } h3 { font-size: 1rem }
    table { border-collapse: collapse; font-variant-numeric: tabular-nums }
    th, td { padding: .25rem .7rem .25rem 0; text-align: left; border-bottom: 1px solid var(--rule) }
    .wide { overflow-x: auto }
    figure { margin: 1.5rem 0 } figcaption { font-weight: 600 }
    figcaption small, .note, .legend, footer { color: var(--soft); font-weight: 400 }
    .plot { width: 100%; height: auto; font-size: 12px } .plot text { fill: var(--soft) }
    .end { text-anchor: end } .middle { text-anchor: middle }
    .rule { stroke: var(--rule) } .line { fill: none; stroke: currentColor; stroke-width: 1.6 }
    .range { fill: currentColor; opacity: .18; stroke: none } circle { fill: currentColor }
    .c0 { color: var(--c0) } .c1 { color: var(--c1) } .c2 { color: var(--c2) } .c3 { color: var(--c3) }
    .c4 { color: var(--c4) } .c5 { color: var(--c5) } .c6 { color: var(--c6) }
    .key, .dot { display: inline-block; background: currentColor; margin: 0 .35rem 0 .8rem }
    .key { width: 1.4rem; height: 3px; vertical-align: middle }
    .dot { width: 8px; height: 8px; border-radius: 4px }
    .running { color: var(--c2) } .diverged, .warning { color: var(--c1) }
    pre { background: var(--box); padding: .8rem; overflow-x: auto; font-size: 13px }
    .text { white-space: pre-wrap; overflow-wrap: anywhere }
    .picture { background: #fff; border-radius: 4px; max-width: 100%; overflow-x: auto }
    """
}
