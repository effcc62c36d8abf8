import dis, sys, types, gc
import argparse, collections, json, re, threading, unittest.mock, asyncio

def walk(code, seen):
    if id(code) in seen:
        return
    seen[id(code)] = code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            walk(constant, seen)

def lines(code):
    if hasattr(code, "co_lines"):
        for start, end, line in code.co_lines():
            for position in range(start, end, 2):
                yield position, line
    else:
        starts = dict(dis.findlinestarts(code))
        line = code.co_firstlineno
        for position in range(0, len(code.co_code), 2):
            line = starts.get(position, line)
            yield position, line

seen = {}
for module in list(sys.modules.values()):
    for value in list(vars(module).values()) if module else []:
        if isinstance(value, types.FunctionType):
            walk(value.__code__, seen)
        elif isinstance(value, type):
            for member in list(vars(value).values()):
                if isinstance(member, types.FunctionType):
                    walk(member.__code__, seen)
exec("def größe(x):\n    return [\n        y for y in x\n    ]\n", globals())
walk(größe.__code__, seen)
for address, code in seen.items():
    name = getattr(code, "co_qualname", code.co_name)
    rows = " ".join("%d:%s" % row for row in lines(code))
    sys.stdout.buffer.write(("%x\t%s\t%s\t%s\n" % (address, name, code.co_filename, rows)).encode())
sys.stdout.buffer.write(b"end\n")
sys.stdout.flush()
sys.stdin.readline()
