import sys

def make(number):
    names = {}
    exec("def made_%d():\n    return %d\n" % (number, number), names)
    return names["made_%d" % number]

# Names of one length and code of one shape: each fits where the one before it was.
kept = make(100000)
address = id(kept.__code__)
print("%x" % address, flush=True)
sys.stdin.readline()
del kept
for number in range(100001, 200000):
    kept = make(number)
    if id(kept.__code__) == address:
        print("made_%d" % number, flush=True)
        break
    del kept
sys.stdin.readline()
