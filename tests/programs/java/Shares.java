import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Random;

/**
 * Burns time in methods that are reached in as many ways, and tells how much in each, by the thread's own clock.
 *
 * Turns have exponentially distributed lengths, as in programs/c/turns.h: a regular rhythm would meet that of the sampler.
 */
public class Shares {
    private static final double TURN_NS = 5e6;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final String[] LEAVES = { "burnA", "burnB", "burnC", "burnD", "burnE" };
    private static final double[] PARTS = { 0.45, 0.25, 0.15, 0.10, 0.05 };
    private static final long[] SPENT = new long[LEAVES.length];
    private static final Random RANDOM = new Random();
    private static final Priced[] PRICED = { new Book(), new Pen(), new Bag() };
    private static long turns;
    static volatile long sink;

    /** So many that a call cannot be bound to one. */
    interface Priced {
        void price(long until);
    }

    static class Book implements Priced {
        public void price(long until) {
            burnC(until);
        }
    }

    static class Pen implements Priced {
        public void price(long until) {
            burnC(until);
        }
    }

    static class Bag implements Priced {
        public void price(long until) {
            burnC(until);
        }
    }

    static long clock() {
        return THREADS.getCurrentThreadCpuTime();
    }

    static void burnA(long until) {
        long total = 0;
        while (clock() < until) {
            for (int number = 0; number < 20000; number++) {
                total += (long) number * number ^ total >>> 3;
            }
        }
        sink = total;
    }

    static void burnB(long until) {
        long total = 0;
        while (clock() < until) {
            for (int number = 0; number < 20000; number++) {
                total = total * 31 + number;
            }
        }
        sink = total;
    }

    static void burnC(long until) {
        long total = 0;
        while (clock() < until) {
            for (int number = 0; number < 20000; number++) {
                total ^= number * 3L + (total << 1);
            }
        }
        sink = total;
    }

    static void burnD(long until) {
        long total = 0;
        while (clock() < until) {
            for (int number = 0; number < 20000; number++) {
                total -= number ^ total >>> 5;
            }
        }
        sink = total;
    }

    public static void burnE(long until) {
        long total = 0;
        while (clock() < until) {
            for (int number = 0; number < 20000; number++) {
                total += (number | 1) * (total | 1);
            }
        }
        sink = total;
    }

    static void deep(int depth, long until) {
        if (depth == 0) {
            burnA(until);
        } else {
            deep(depth - 1, until);
        }
    }

    static void throughRecursion(long until) {
        deep(20, until);
    }

    static void throughCallback(long until) {
        Integer[] numbers = { 1, 2 };
        Arrays.sort(numbers, (a, b) -> {
            burnB(until);
            return a - b;
        });
    }

    static void throughInterface(long until) {
        PRICED[RANDOM.nextInt(PRICED.length)].price(until);
    }

    static void throughException(long until) {
        try {
            Integer.parseInt("none");
        } catch (NumberFormatException expected) {
            burnD(until);
        }
    }

    static void throughReflection(long until) throws ReflectiveOperationException {
        Method method = Shares.class.getMethod("burnE", long.class);
        method.invoke(null, until);
    }

    static void turn() throws ReflectiveOperationException {
        double at = RANDOM.nextDouble();
        int way = 0;
        for (; way < PARTS.length - 1 && at >= PARTS[way]; way++) {
            at -= PARTS[way];
        }
        long before = clock();
        long until = before + (long) (-Math.log(1 - RANDOM.nextDouble()) * TURN_NS);
        switch (way) {
            case 0: throughRecursion(until); break;
            case 1: throughCallback(until); break;
            case 2: throughInterface(until); break;
            case 3: throughException(until); break;
            default: throughReflection(until);
        }
        SPENT[way] += clock() - before;
        turns++;
    }

    static void work(double seconds) {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        try {
            while (System.nanoTime() < end && System.in.available() == 0) {
                turn();
            }
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        boolean isLimited = arguments.length == 2 && arguments[0].equals("--seconds");
        double seconds = isLimited ? Double.parseDouble(arguments[1]) : 3600;
        System.out.println("READY");
        while (System.in.read() != '\n') {
            // the rest of the line
        }
        // A thread of its own: it has no main beneath.
        Thread thread = new Thread(() -> work(seconds), "worker");
        thread.start();
        thread.join();
        StringBuilder truth = new StringBuilder();
        for (int way = 0; way < LEAVES.length; way++) {
            truth.append(way == 0 ? "" : ", ").append('"').append(LEAVES[way]).append("\": ").append(SPENT[way]);
        }
        long process = ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
        System.out.println("{\"turns\": " + turns + ", \"process_cpu_ns\": " + process + ", \"cpu_ns\": {" + truth + "}}");
        while (System.in.read() >= 0) {
            // until whoever has started it lets go
        }
    }
}
