# shellcheck shell=bash
# Completion of fettle's commands, options, and the services of the running agent.
_fettle_services() { fettle status -o json 2>/dev/null | grep -o '"name":"[^"]*"' | cut -d'"' -f4 | sort -u; }

_fettle() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words=''
  case ${COMP_WORDS[1]-} in
    agent) words='--config.file --web.listen-address --web.config.file --web.external-url --storage.path --admin.socket --query.max-concurrency --query.timeout --query.max-samples --no-run-duration-histogram --log.level --log.format' ;;
    check) words='config rules metrics --config.file --promql.compat --lint --lint-fatal --color --print-polkit --print-reference' ;;
    test) words='rules --run --debug --junit --promql.compat --color' ;;
    query) words='--url --openmetrics --time --start --end --step --promql.compat --output' ;;
    rules) words='replay debug --openmetrics --start --end --step --promql.compat --output --url' ;;
    probe) words='--config.file http grpc websocket journey prometheus json nginx haproxy memcached mysql connection file disk node tcp udp icmp unix exec process systemd redis tls listener dns postgres rabbitmq kafka smtp restic pgbackrest borg heartbeat' ;;
    notify) case $COMP_CWORD in 2) words='test' ;; *) words='--config.file' ;; esac ;;
    top) words='--url --refresh' ;;
    status) words="--url --output $(_fettle_services)" ;;
    fleet) words='--url --output' ;;
    alerts) words='--url --output' ;;
    incidents) words="--url --output $(_fettle_services)" ;;
    incident) words="--url --output $(fettle incidents -o json 2>/dev/null | grep -o '"id":"[^"]*"' | cut -d'"' -f4)" ;;
    explain) words="--url --output $(_fettle_services)" ;;
    maintenance) case $COMP_CWORD in 2) words='on off' ;; *) words="--for --comment --admin.socket $(_fettle_services)" ;; esac ;;
    recover) case ${COMP_WORDS[2]} in
      abort) words="--comment --output --admin.socket $(_fettle_services)" ;;
      *) words="abort --dry-run --comment --output --admin.socket $(_fettle_services)" ;;
    esac ;;
    ack) words="--comment --admin.socket $(_fettle_services)" ;;
    silence) case $COMP_CWORD in 2) words='add list expire' ;; *) case ${COMP_WORDS[2]} in
      add) words="--duration --start --end --author --comment --admin.socket $(_fettle_services | sed s/^/service=/)" ;;
      list) words='--expired --quiet --output --admin.socket' ;;
      expire) words="--admin.socket $(fettle silence list -q 2>/dev/null)" ;;
    esac ;; esac ;;
    reload) words='--admin.socket' ;;
  esac
  [ "$COMP_CWORD" -ne 1 ] || words='agent check test query rules probe notify status alerts incidents incident fleet explain reload silence maintenance recover ack --version --help'
  case $previous in
    --config.file | --web.config.file | --openmetrics | --junit | config) words= ;;
    rules) [ "${COMP_WORDS[1]}" = rules ] || words= ;;
    --log.level) words='debug info warn error' ;;
    --log.format) words='logfmt json' ;;
    -o | --output) case ${COMP_WORDS[1]} in rules) words='table openmetrics json' ;; recover) words='text json' ;; *) words='table json' ;; esac ;;
    --promql.compat) words='2 3' ;;
    --lint) words='all none duplicate-rules never-fires' ;;
    --color) words='auto always never' ;;
  esac
  if [ -n "$words" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}
complete -o filenames -F _fettle fettle
