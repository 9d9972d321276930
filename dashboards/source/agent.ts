// The agents themselves: do they keep up, is what they know durable, do they run what the files say.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import {
  board,
  coloured,
  descending,
  from,
  lines,
  node,
  nodeKey,
  number,
  query,
  rows,
  unit,
  words,
  worded,
} from './parts';

const quantile = (q: number, metric: string) =>
  `histogram_quantile(${q}, sum by (instance, le) (rate(${metric}_bucket{${node}}[$__rate_interval])))`;

// A value of each agent, with its version.
const of = (expr: string) =>
  `max by (instance, version) ((${expr}) * on (job, instance) group_left (version) fettle_build_info{${node}})`;

export const agent = board(
  'fettle-agent',
  'fettle / Agents',
  'The agents themselves: load, delays, memory, the store, rules, and whether their state becomes durable.',
  'agents',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'Versions',
      'Different versions that run; more than one for long: an upgrade was not finished.',
      `count(count by (version, revision) (fettle_build_info{${node}}))`,
      'short',
      from('green', [2, 'yellow']),
    ),
  )
  .withPanel(
    number(
      'Reloads failed',
      'Agents whose file has mistakes: they go on with what they had.',
      `count(fettle_config_last_reload_successful{${node}} == 0) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'State not durable',
      'Agents that cannot write their state folder: a restart would forget budgets, silences and messages.',
      `count(fettle_state_durable{${node}} == 0) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Longest turn',
      'Longest turn of an event loop: so long nothing else was looked at.',
      `max(fettle_loop_stall_seconds{${node}})`,
      's',
      from('green', [0.1, 'orange'], [0.5, 'red']),
    ),
  )
  .withPanel(
    number(
      'Rules failing',
      'Evaluations of rules that ended with an error in the shown range; /api/v1/rules of the agent says which.',
      `sum(increase(fettle_rule_evaluation_failures_total{${node}}[$__range])) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ).decimals(0),
  )
  .withPanel(
    number(
      'Samples refused',
      'Samples that the local store refused in the shown range, because it is full or they came out of order.',
      `sum(increase(fettle_store_refused_total{${node}}[$__range])) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ).decimals(0),
  )
  .withRow(new dashboard.RowBuilder('Agents'))
  .withPanel(
    rows(
      'Agents in the fleet',
      'What each agent is, uses and holds.',
      [nodeKey, { label: 'version', title: 'Version' }],
      [
        {
          title: 'Runs for',
          expr: of(`time() - process_start_time_seconds{${node}}`),
          show: unit('dtdhms'),
        },
        {
          title: 'CPU',
          expr: of(`rate(process_cpu_seconds_total{${node}}[$__rate_interval])`),
          show: unit('percentunit', 1),
        },
        { title: 'Memory', expr: of(`process_resident_memory_bytes{${node}}`), show: unit('bytes') },
        {
          title: 'Descriptors',
          expr: of(`process_open_fds{${node}} / process_max_fds{${node}}`),
          show: [...unit('percentunit', 1), ...coloured('color-text', from('green', [0.5, 'orange'], [0.8, 'red']))],
        },
        { title: 'Threads', expr: of(`process_threads{${node}}`), show: unit('short') },
        {
          title: 'Store',
          expr: of(`fettle_store_series{${node}} / fettle_store_max_series{${node}}`),
          show: [
            ...unit('percentunit', 1),
            { id: 'min', value: 0 },
            { id: 'max', value: 1 },
            ...coloured('gauge', from('green', [0.7, 'orange'], [0.9, 'red'])),
          ],
        },
        {
          title: 'Configuration',
          expr: of(`fettle_config_last_reload_successful{${node}}`),
          show: worded(words([0, 'reload failed', 'red'], [1, 'as in the file', 'green']), 'color-text'),
        },
        {
          title: 'Read',
          expr: of(`time() - fettle_config_last_reload_success_timestamp_seconds{${node}}`),
          show: unit('dtdhms'),
        },
        {
          title: 'State',
          expr: of(`fettle_state_durable{${node}}`),
          show: worded(words([0, 'not durable', 'red'], [1, 'durable', 'green']), 'color-text'),
        },
      ],
    )
      .height(6)
      .sortBy(descending('Memory')),
  )
  .withRow(new dashboard.RowBuilder('Does it keep up'))
  .withPanel(
    lines(
      'Probe runs start late by',
      'The delay that 99 of 100 runs stay below. Above 0.1 s the agent starves.',
      's',
      quantile(0.99, 'fettle_scheduler_lag_seconds'),
      '{{instance}}',
    ).span(8),
  )
  .withPanel(
    lines(
      'Longest turn of the loop',
      'Longest turn of the event loop in the last publishing period.',
      's',
      `max by (instance) (fettle_loop_stall_seconds{${node}})`,
      '{{instance}}',
    ).span(8),
  )
  .withPanel(
    lines(
      'Time to write a change',
      'How long 99 of 100 changes of the durable state take until they are on disk.',
      's',
      quantile(0.99, 'fettle_state_commit_seconds'),
      '{{instance}}',
    ).span(8),
  )
  .withRow(new dashboard.RowBuilder('What it costs'))
  .withPanel(
    lines(
      'CPU',
      'CPU time that each agent takes, in parts of one CPU.',
      'percentunit',
      `sum by (instance) (rate(process_cpu_seconds_total{${node}}[$__rate_interval]))`,
      '{{instance}}',
    ).span(8),
  )
  .withPanel(
    lines(
      'Memory',
      'Resident memory of each agent, and what of it the store takes.',
      'bytes',
      `max by (instance) (process_resident_memory_bytes{${node}})`,
      '{{instance}}',
    )
      .span(8)
      .withTarget(query(`max by (instance) (fettle_store_bytes{${node}})`, '{{instance}} store', 'B')),
  )
  .withPanel(
    lines(
      'Series in the store',
      'Series that each local store holds; at its limit, rules see a part only of what probes measure.',
      'short',
      `max by (instance) (fettle_store_series{${node}})`,
      '{{instance}}',
    ).span(8),
  );
