# shellcheck shell=bash
# Completion for bash. fettle itself knows its commands, options, services, probes, silences: fettle complete.
_fettle() {
  local word current prefix='' line=()
  # bash takes = for the end of a word.
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [ ${#line[@]} -gt 0 ] && { [ "$word" = = ] || [[ ${line[-1]} == *= ]]; }; then
      line[-1]+=$word
    else
      line+=("$word")
    fi
  done
  current=${line[-1]}
  [[ $current != *=* ]] || prefix=${current%%=*}=
  mapfile -t COMPREPLY < <(fettle complete -- "${line[@]}" 2>/dev/null)
  if [ "${COMPREPLY[0]-}" = :files ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "${current#"$prefix"}")
    compopt -o filenames
  else
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
  fi
}
complete -F _fettle fettle
