#!/bin/sh
# Colours what was selected in a file manager, and tells the end in a notification, which also has a button to cancel.
command=colorize-media

tell() {
    command -v notify-send >/dev/null 2>&1 && notify-send --app-name=colorize-media --icon="$1" "$2" "$3" || :
}

if ! [ -x "$command" ]; then
    tell dialog-error "colorize-media is not there" "$command
Install it anew, then run: colorize-media plugin install"
    exit 127
fi

log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# The button comes before the work and its trap: a subshell that gets a signal before it has put away what it inherits does
# the outer trap's deed and forgets the signal. From libnotify 0.8 on; an older notify-send refuses the words, and then there
# is no button.
(
    exec >/dev/null 2>&1
    notification= over=
    take_away() {  # the first signal takes the notification away, the second also a notify-send that does not listen
        over=yes
        [ -n "$notification" ] && kill -INT "$notification" && sleep 1 && kill -TERM "$notification"
    }
    trap take_away TERM
    answer=$(mktemp) || exit 0
    notify-send --app-name=colorize-media --icon=image-x-generic --wait --action=cancel=Cancel \
        "Colouring…" "$(basename -- "$1")" >"$answer" &
    notification=$!
    [ -n "$over" ] && take_away
    wait "$notification"
    [ -z "$over" ] && grep -q cancel "$answer" && kill -TERM $$
    rm -f "$answer"
) &
button=$!

"$command" -- "$@" >/dev/null 2>"$log" </dev/null &
work=$!
trap 'kill -TERM $work' TERM INT HUP

wait $work
code=$?
while kill -0 $work 2>/dev/null; do wait $work; code=$?; done  # a signal ends the first wait before the work
kill -TERM $button 2>/dev/null
end=$(grep -v '^warning: ' "$log" | tail -n 5)
case $code in
    0) tell image-x-generic "Colouring is done" "$end" ;;
    130 | 143) tell dialog-information "Colouring was cancelled" "$end" ;;
    *) tell dialog-error "Not everything could be coloured" "$end" ;;
esac
exit $code
