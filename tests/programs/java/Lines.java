import java.util.function.LongUnaryOperator;

/** Tells where the calls of a chain are, which it then goes through again and again: until all of it is compiled, and put into one another. */
public class Lines {
    static volatile long sink;
    static boolean isToTell = true;

    interface Step {
        long go(long n);
    }

    static class Cart implements Step {
        private final int factor;

        Cart(int factor) {
            this.factor = factor;
        }

        @Override
        public long go(long n) {
            return factor
                + leaf(n);
        }
    }

    static long leaf(long n) {
        if (isToTell) {
            tell();
        }
        long total = n;
        for (int number = 0; number < 50000; number++) {
            total = total * 31 + number ^ total >>> 7;
        }
        return total;
    }

    static void tell() {
        isToTell = false;
        StringBuilder told = new StringBuilder("READY");
        for (StackTraceElement frame : new Throwable().getStackTrace()) {
            told.append(' ').append(frame.getClassName()).append('.').append(frame.getMethodName());
            told.append('@').append(frame.getFileName()).append(':').append(frame.getLineNumber());
        }
        System.out.println(told);
        try {
            while (System.in.read() != '\n') {
                // the rest of the line
            }
        } catch (java.io.IOException error) {
            throw new IllegalStateException(error);
        }
    }

    static long through(LongUnaryOperator step, long n) {
        long before = n * 3;
        return before + step.applyAsLong(n);
    }

    static long deep(Step step, int depth, long n) {
        if (depth > 0) {
            return 1
                + deep(step, depth - 1, n);
        }
        return through(
            x -> step.go(x), n);
    }

    public static void main(String[] arguments) throws Exception {
        Step step = new Cart(3);
        long end = System.nanoTime() + 4_000_000_000L;
        while (System.nanoTime() < end) {
            sink = deep(step, 5, sink);
        }
        System.out.println("DONE");
        while (System.in.read() >= 0) {
            // until whoever has started it lets go
        }
    }
}
