// Ways of customers through many services: does each work, at which step does it break, where does its time go.
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import {
  board,
  coloured,
  counts,
  dataLinks,
  eventsFromBirth,
  from,
  legendBeside,
  lines,
  nodeKey,
  number,
  rows,
  service,
  serviceKey,
  states,
  toService,
  unit,
  words,
  worded,
} from './parts';

// Runs of journeys: other probes of the service have no steps.
const ofJourneys = (expr: string) => `${expr} and on (job, instance, service, probe) probe_journey_steps{${service}}`;
const done = words([0, 'failed', 'red'], [1, 'worked', 'green']);

export const journeys = board(
  'fettle-journeys',
  'fettle / Journeys',
  'What customers meet: journeys through many services, step by step.',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'Journeys',
      'Journeys that are walked.',
      `count(probe_journey_steps{${service}}) or vector(0)`,
      'short',
      from('red', [1, 'blue']),
    ),
  )
  .withPanel(
    number(
      'Failing',
      'Journeys whose last run failed.',
      `count(${ofJourneys(`probe_success{${service}} == 0`)}) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Success',
      'Part of the runs of the shown range that worked.',
      `avg(${ofJourneys(`avg_over_time(probe_success{${service}}[$__range])`)})`,
      'percentunit',
      from('red', [0.99, 'yellow'], [0.999, 'green']),
    ).decimals(2),
  )
  .withPanel(
    number(
      'Slowest journey',
      'The longest last run.',
      `max(${ofJourneys(`probe_duration_seconds{${service}}`)})`,
      's',
      from('green', [1, 'yellow'], [3, 'red']),
    ),
  )
  .withPanel(
    number(
      'Slowest step',
      'The longest step of the last runs.',
      `max(probe_journey_step_duration_seconds{${service}})`,
      's',
      from('green', [0.5, 'yellow'], [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Steps not reached',
      'Steps that did not run in the last runs, because one before them failed.',
      `sum(probe_journey_steps{${service}}) - (count(probe_journey_step_success{${service}}) or vector(0))`,
      'short',
      from('green', [1, 'orange']),
    ),
  )
  .withRow(new dashboard.RowBuilder('Where it breaks'))
  .withPanel(
    states(
      'Steps',
      'Each step over time. A gap: it did not run, because one before it failed.',
      done,
      `probe_journey_step_success{${service}}`,
      '{{service}} {{step}}',
    )
      .span(12)
      .dataLinks(dataLinks(toService('${__field.labels.service}'))),
  )
  .withPanel(
    rows(
      'Last run of each step',
      'What the last run of each step did.',
      [serviceKey, { label: 'probe', title: 'Journey' }, { label: 'step', title: 'Step' }, nodeKey],
      [
        {
          title: 'Result',
          expr: `min by (service, probe, step, instance) (probe_journey_step_success{${service}})`,
          show: worded(done, 'color-background'),
        },
        {
          title: 'Status',
          expr: `max by (service, probe, step, instance) (probe_journey_step_status_code{${service}})`,
          show: [...unit('none'), ...coloured('color-text', from('red', [200, 'green'], [400, 'red']))],
        },
        {
          title: 'Took',
          expr: `max by (service, probe, step, instance) (probe_journey_step_duration_seconds{${service}})`,
          show: [...unit('s'), ...coloured('color-text', from('text', [0.5, 'orange'], [1, 'red']))],
        },
        {
          title: 'Worked',
          expr: `avg by (service, probe, step, instance) (avg_over_time(probe_journey_step_success{${service}}[$__range]))`,
          show: [...unit('percentunit', 1), ...coloured('color-text', from('red', [0.99, 'yellow'], [0.999, 'green']))],
        },
      ],
    ).span(12),
  )
  .withRow(new dashboard.RowBuilder('Where the time goes'))
  .withPanel(
    lines(
      'Time by step',
      'How long each step took, on top of each other: the height is the time of the whole journey.',
      's',
      `avg by (service, step) (probe_journey_step_duration_seconds{${service}})`,
      '{{service}} {{step}}',
    )
      .fillOpacity(40)
      .stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal).group('A'))
      .legend(legendBeside()),
  )
  .withPanel(
    counts(
      'Failed runs by reason',
      'Runs of journeys that failed, before thresholds.',
      ofJourneys(eventsFromBirth('job, instance, service, probe, reason', `fettle_probe_failures_total{${service}}`)),
      '{{service}} {{probe}}: {{reason}}',
    )
      .span(12)
      .legend(legendBeside()),
  );
