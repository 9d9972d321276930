// Where customers come in: load balancers, what stands behind them, connections and requests that wait.
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { board, dataLinks, from, lines, number, query, service, states, toService, upOrDown, words } from './parts';

const usable = words([0, 'a drain would not work', 'red'], [1, 'can be drained', 'green']);

export const traffic = board(
  'fettle-traffic',
  'fettle / Traffic',
  'Load balancers, the servers behind them, and connections as the kernel has them: who waits, and where.',
)
  .withRow(new dashboard.RowBuilder('Now'))
  .withPanel(
    number(
      'Servers down',
      'Servers that HAProxy sends nothing to because their checks fail.',
      `count(probe_haproxy_server_up{${service}} == 0) or vector(0)`,
      'short',
      from('green', [1, 'red']),
    ),
  )
  .withPanel(
    number(
      'Cannot be drained',
      'Services that the agent could not take out of their load balancer; fettle explain SERVICE says why.',
      `count(fettle_traffic_place_usable{${service}} == 0) or vector(0)`,
      'short',
      from('green', [1, 'orange']),
    ),
  )
  .withPanel(
    number(
      'Queued at HAProxy',
      'Requests that wait for a free server.',
      `sum(probe_haproxy_backend_queue{${service}} + on (job, instance, service, probe, backend) group_left () ` +
        `sum by (job, instance, service, probe, backend) (probe_haproxy_server_queue{${service}}))`,
      'short',
      from('green', [1, 'yellow'], [50, 'red']),
    ),
  )
  .withPanel(
    number(
      'Requests without answer',
      'Connections whose peer waits for an answer right now, of the services with a probe of type sockets.',
      `sum(probe_sockets_waiting{${service}})`,
      'short',
      from('blue'),
    ),
  )
  .withPanel(
    number(
      'Longest wait',
      'Of those, the longest.',
      `max(probe_sockets_longest_wait_seconds{${service}})`,
      's',
      from('green', [1, 'yellow'], [5, 'red']),
    ),
  )
  .withPanel(
    number(
      'Fullest accept queue',
      'Part of an accept queue that is taken; a full one loses connections.',
      `max(probe_sockets_queue_fill_ratio{${service}} or probe_listener_queue_fill_ratio{${service}})`,
      'percentunit',
      from('green', [0.5, 'yellow'], [0.8, 'red']),
    ).decimals(0),
  )
  .withRow(new dashboard.RowBuilder('Load balancers'))
  .withPanel(
    states(
      'Servers behind HAProxy',
      'Whether HAProxy sends requests to each server.',
      upOrDown,
      `probe_haproxy_server_up{${service}}`,
      '{{backend}}/{{server}} {{instance}}',
    )
      .height(6)
      .span(12),
  )
  .withPanel(
    states(
      'Places',
      'Whether the agent can take each service out of its load balancer and put it back.',
      usable,
      `fettle_traffic_place_usable{${service}}`,
      '{{service}}: {{place}}',
    )
      .height(6)
      .span(12)
      .dataLinks(dataLinks(toService('${__field.labels.service}'))),
  )
  .withPanel(
    lines(
      'Sessions of HAProxy',
      'Sessions that each frontend has.',
      'short',
      `sum by (instance, frontend) (probe_haproxy_frontend_sessions{${service}})`,
      '{{frontend}} {{instance}}',
    )
      .height(7)
      .span(8),
  )
  .withPanel(
    lines(
      'Queues of HAProxy',
      'Requests that wait: for any server of a backend, or for one that a cookie or its limit names.',
      'short',
      `sum by (instance, backend) (probe_haproxy_backend_queue{${service}})`,
      '{{backend}} {{instance}}',
    )
      .height(7)
      .span(8)
      .withTarget(
        query(
          `sum by (instance, backend, server) (probe_haproxy_server_queue{${service}})`,
          '{{backend}}/{{server}} {{instance}}',
          'B',
        ),
      ),
  )
  .withPanel(
    lines(
      'Requests to nginx',
      'Requests per second that nginx handles.',
      'reqps',
      `sum by (service, instance) (rate(probe_nginx_handled_requests{${service}}[$__rate_interval]))`,
      '{{service}} {{instance}}',
    )
      .height(7)
      .span(8),
  )
  .withRow(new dashboard.RowBuilder('Connections'))
  .withPanel(
    lines(
      'Connections by state',
      'Connections to the ports of services as the kernel has them. Many in close_wait: the service does not close.',
      'short',
      `sum by (service, state) (probe_sockets_connections{${service}}) > 0`,
      '{{service}} {{state}}',
    )
      .height(7)
      .span(8)
      .withTarget(query(`sum by (service, state) (probe_nginx_connections{${service}})`, '{{service}} {{state}}', 'B')),
  )
  .withPanel(
    lines(
      'Waiting for an answer',
      'How long the peer that waits the longest has waited; stalled requests are what the alert RequestsStalled counts.',
      's',
      `max by (service, instance) (probe_sockets_longest_wait_seconds{${service}})`,
      '{{service}} {{instance}}',
    )
      .height(7)
      .span(8),
  )
  .withPanel(
    lines(
      'Round trip',
      'Round-trip time of the established connections, half of them (0.5) and 99 of 100 (0.99); far above its usual value: the network.',
      's',
      `max by (service, instance, quantile) (probe_sockets_rtt_seconds{${service}})`,
      '{{service}} {{instance}} {{quantile}}',
    )
      .height(7)
      .span(8),
  );
