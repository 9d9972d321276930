# Completion for fish. fettle itself knows its commands, options, services, probes, silences: fettle complete.
function __fettle_complete
    set -l words (commandline -opc)[2..] (commandline -ct)
    set -l found (fettle complete -- $words 2>/dev/null)
    if test "$found[1]" = :files
        __fish_complete_path (commandline -ct)
    else
        printf '%s\n' $found
    end
end
complete -c fettle -f -a '(__fettle_complete)'
