# Entries of term 1 are replaced and come back while their first write is still under way. Its late
# completion proves nothing: the disk will hold the replacement for a while.
nodes 1 2 3
hold-persist 2
append 1 2 term 1 after 0 of 0 commit 0 entries 1 1
append 3 2 term 2 after 0 of 0 commit 0 entries 2
append 1 2 term 3 after 0 of 0 commit 2 entries 1 1
persist 2 1
expect 2 commit 2 applied 0
persist 2 1
expect 2 applied 0
persist 2 1
expect 2 applied 2
log 2 1:x 1:x
