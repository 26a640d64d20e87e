$(command -v timeout && echo 55) colorize-media -q -y --no-sidecars $INPUT -o $OUTPUT && test -s $OUTPUT || exit 127
