complete --keep-order --exclusive --command oauthctl --arguments "(COMPLETE=fish oauthctl -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
