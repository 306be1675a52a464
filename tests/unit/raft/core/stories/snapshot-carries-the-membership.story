nodes 1 2 3
spawn 4
campaign 1
run
cut 3
change 1 +4
run
compact 1 2
heal
pass 3
expect 3 voters 1,2,3,4 first 3
