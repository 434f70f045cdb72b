# caro-node: for shells that offer nothing to hook.
