#!/bin/sh
# The dev image's initialisation: code-server and difit wait for it, and do not start when it fails.
# A volume mounted on the home directory may be empty and root's; PID 1 may be root or uid 1000.
set -eu
home=/home/hagevvashi
repo=$home/repos/example

if ! [ -d "$repo/.git" ]; then
    echo "creating a repository in repos/example"
    # Not left half done: a repository without its second commit gives difit nothing to show.
    rm -rf "$repo.new"
    git init -q -b main "$repo.new"
    cd "$repo.new"
    git config user.name "hagevvashi"
    git config user.email "hagevvashi@localhost"
    echo "# Example" >README.md
    git add README.md
    git commit -qm "Begin"
    echo "Open this folder in code-server; difit shows what changed." >>README.md
    git commit -qam "Say what this is"
    echo "A change that is not committed yet." >>README.md
    mv "$repo.new" "$repo"
fi

if [ "$(id -u)" = 0 ]; then
    echo "fixing permissions of repos/"
    chown hagevvashi:staff "$home" "$home/repos"
    chown -R hagevvashi:staff "$repo"
fi
