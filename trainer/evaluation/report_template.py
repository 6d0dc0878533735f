"""The page of the evaluation report. It is a module, not a data file, so that every installation has it."""

TEMPLATE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ "Blessed" if result.blessed else "Not blessed" }}: {{ top }} {{ result.metrics[top]|four }}</title>
<style>
  :root { --ink: #0f172a; --soft: #475569; --line: #e2e8f0; --good: #15803d; --bad: #b91c1c; --blue: #2563eb; }
  * { box-sizing: border-box; }
  body { margin: 0; background: #f1f5f9; color: var(--ink);
         font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
  main { max-width: 1120px; margin: 0 auto; padding: 32px 20px 56px; }
  header { display: flex; flex-wrap: wrap; gap: 12px 20px; align-items: center; margin-bottom: 4px; }
  h1 { font-size: 26px; margin: 0; letter-spacing: -0.01em; }
  h2 { font-size: 17px; margin: 0 0 2px; }
  p { margin: 0 0 12px; }
  .soft { color: var(--soft); font-size: 13.5px; }
  .badge { padding: 3px 14px; border-radius: 99px; font-weight: 650; color: #fff; background: var(--good); }
  .badge.bad { background: var(--bad); }
  .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; margin: 20px 0 14px; }
  .card, section { background: #fff; border: 1px solid var(--line); border-radius: 12px; }
  .card { padding: 14px 18px; }
  .card b { display: block; font-size: 28px; line-height: 1.25; font-variant-numeric: tabular-nums; }
  .card.main b { color: var(--blue); }
  section { padding: 18px 22px; margin-bottom: 14px; overflow-x: auto; }
  ul { margin: 6px 0 0; padding-left: 20px; }
  .reasons { border-left: 5px solid var(--bad); }
  .notes { border-left: 5px solid #d97706; }
  svg { max-width: 100%; height: auto; display: block; }
  .slices { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 8px 28px; }
  h3 { font-size: 14px; margin: 10px 0 2px; text-transform: capitalize; }
  table { border-collapse: collapse; width: 100%; margin-top: 6px;
          font-size: 14px; font-variant-numeric: tabular-nums; }
  th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
  th { color: var(--soft); font-weight: 600; font-size: 13px; }
  th:first-child, td:first-child { text-align: left; }
  td:first-child { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 13px; }
  tr.top td { background: #eff6ff; font-weight: 650; }
  details summary { cursor: pointer; color: var(--soft); margin-top: 10px; }
</style>
</head>
<body>
<main>
<header>
  <h1>Candidate release</h1>
  <span class="badge{{ '' if result.blessed else ' bad' }}">{{ "blessed" if result.blessed else "not blessed" }}</span>
</header>
<p class="soft">
  {{ result.num_items|number }} items
  {% for stage in result.stages %}&rarr; {{ stage }} {{ result.capacities[loop.index0] }} {% endfor %}
  &middot; {{ result.num_requests|number }} requests, {{ result.num_requests_without_ground_truth|number }} of them
  without ground truth and left out &middot; {{ result.num_ground_truth|number }} ground-truth items
  &middot; evaluated in {{ "%.0f"|format(result.elapsed_s) }} s
</p>

<div class="cards">
  <div class="card main"><span class="soft">End-to-end {{ top }}</span><b>{{ result.metrics[top]|four }}</b>
    <span class="soft">95&nbsp;%: {{ result.intervals[top][0]|four }} to {{ result.intervals[top][1]|four }}</span>
  </div>
  <div class="card"><span class="soft">Baseline release</span>
    <b>{{ result.baseline[top]|four if result.baseline else "–" }}</b>
    <span class="soft">
    {%- if result.baseline and result.baseline[top] -%}
      {{ "%+.1f"|format(100 * (result.metrics[top] / result.baseline[top] - 1)) }}&nbsp;% since
    {%- elif result.baseline -%} delivered nothing
    {%- elif result.baseline_error -%} could not be evaluated
    {%- else -%} none yet
    {%- endif -%}
    </span></div>
  <div class="card"><span class="soft">Popularity</span><b>{{ popularity[top]|four }}</b>
    <span class="soft">
    {%- if popularity[top] %}{{ "%.2f"|format(result.metrics[top] / popularity[top]) }} times that; {% endif -%}
    {{ popularity_name|words }}</span></div>
  <div class="card"><span class="soft">Possible best</span>
    <b>{{ result.oracle[top]|four if top in result.oracle else "–" }}</b>
    <span class="soft">{{ result.metrics.deliverable|percent }} of the ground truth can be delivered</span></div>
</div>

{% if result.decision.reasons %}
<section class="reasons"><h2>Why it is not blessed</h2>
<ul>{% for reason in result.decision.reasons %}<li>{{ reason }}</li>{% endfor %}</ul></section>
{% endif %}
{% if result.decision.notes %}
<section class="notes"><h2>Notes</h2>
<ul>{% for note in result.decision.notes %}<li>{{ note }}</li>{% endfor %}</ul></section>
{% endif %}

<section>
  <h2>Recall over the whole catalogue</h2>
  <p class="soft">The share of all ground-truth items among the first k delivered, pooled over requests.
  Popularity lists leave out what a request excludes, as the release does.</p>
  {{ recall_svg }}
</section>

<section>
  <h2>Where the ground truth goes</h2>
  <p class="soft">Every ground-truth item counts once. Excluded items were already seen and
  cannot be delivered.</p>
  {{ attribution_svg }}
</section>

{% if slices %}
<section>
  <h2>{{ top }} by slice</h2>
  <p class="soft">Pooled over the ground truth of a slice, with 95&nbsp;% confidence intervals.</p>
  <div class="slices">
  {% for parts, svg in slices %}<div><h3>{{ parts[0].dimension|words }}</h3>{{ svg }}</div>{% endfor %}
  </div>
  <details><summary>Slices in numbers</summary>
  <table>
    <tr><th>slice</th><th>requests</th><th>ground truth</th><th>{{ top }}</th><th>95&nbsp;%</th>
      <th>mean over requests</th></tr>
    {% for parts, svg in slices %}{% for part in parts %}
    <tr><td>{{ part.dimension }} = {{ part.value }}</td><td>{{ part.num_requests|number }}</td>
      <td>{{ part.num_ground_truth|number }}</td><td>{{ part.recall|four }}</td>
      <td>{{ part.recall_low|four }} to {{ part.recall_high|four }}</td>
      <td>{{ part.mean_recall|four }}</td></tr>
    {% endfor %}{% endfor %}
  </table></details>
</section>
{% endif %}

<section>
  <h2>All metrics</h2>
  <p class="soft"><code>recall@k</code> pools all ground truth, <code>mean_recall@k</code> is the mean over requests,
  <code>funnel/…</code> is what leaves a stage over the whole catalogue, <code>list/…</code> is measured inside logged
  lists, where stages pass on
  {% for size in result.list_capacities %}
    {{ size if size else "as many items as the list has ground truth" }} ({{ result.stages[loop.index0] }})
    {{- "." if loop.last else ", " }}
  {% endfor %}
  Popularity is the best of its lists.</p>
  <table>
    <tr><th>metric</th><th>candidate</th><th>95&nbsp;%</th><th>baseline</th><th>change</th><th>popularity</th>
      <th>possible best</th></tr>
    {% for row in rows %}
    <tr{% if row.name == top %} class="top"{% endif %}>
      <td>{{ row.name }}</td><td>{{ row.value }}</td><td>{{ row.interval }}</td>
      <td>{{ row.baseline }}</td><td>{{ row.change }}</td><td>{{ row.popularity }}</td><td>{{ row.oracle }}</td></tr>
    {% endfor %}
  </table>
  <details><summary>Popularity in numbers</summary>
  <table>
    <tr><th>list</th>{% for k in result.ks %}<th>recall@{{ k }}</th><th>mean_recall@{{ k }}</th>{% endfor %}</tr>
    {% for name, values in result.popularity.items() %}
    <tr><td>{{ name|words }}</td>{% for k in result.ks %}
      <td>{{ values["recall@%d" % k]|four }}</td><td>{{ values["mean_recall@%d" % k]|four }}</td>{% endfor %}</tr>
    {% endfor %}
  </table></details>
</section>
</main>
</body>
</html>
"""
