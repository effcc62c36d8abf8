import com.sun.net.httpserver.HttpServer;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.Executors;
import java.util.stream.Collectors;

/** A web server of the JDK alone: `PORT`, then `virtual` for a virtual thread for each request, which waits once. */
public class Server {
    private static final List<Item> ITEMS = new ArrayList<>();

    static final class Item {
        final String name;
        final int price;

        Item(String name, int price) {
            this.name = name;
            this.price = price;
        }

        String text() {
            return "{\"name\": \"" + name + "\", \"price\": " + price + "}";
        }
    }

    static String render(List<Item> items) {
        return items.stream()
            .filter(item -> item.price > 10)
            .sorted(Comparator.comparing((Item item) -> item.name))
            .map(Item::text)
            .collect(Collectors.joining(",\n", "[", "]"));
    }

    static byte[] answer(boolean isToWait) {
        List<Item> items = new ArrayList<>(ITEMS);
        Collections.reverse(items);
        if (isToWait) {
            try {
                Thread.sleep(1);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
            }
        }
        return render(items).getBytes(StandardCharsets.UTF_8);
    }

    static Executor executor(boolean isVirtual) throws ReflectiveOperationException {
        // By its name: this is compiled for versions that have none.
        return isVirtual
            ? (Executor) Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null)
            : Executors.newFixedThreadPool(4);
    }

    public static void main(String[] arguments) throws Exception {
        for (int number = 0; number < 200; number++) {
            ITEMS.add(new Item("item " + number * 7919 % 1000, number));
        }
        boolean isVirtual = arguments.length > 1 && arguments[1].equals("virtual");
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(arguments[0])), 0);
        server.createContext("/", exchange -> {
            byte[] body = answer(isVirtual);
            exchange.sendResponseHeaders(200, body.length);
            try (OutputStream out = exchange.getResponseBody()) {
                out.write(body);
            }
        });
        server.setExecutor(executor(isVirtual));
        server.start();
    }
}
