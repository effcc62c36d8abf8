use super::*;
use proptest::prelude::*;

/// Executable, comm, arguments joined by `|`, working directory; the name that follows, and whether it
/// is that of a script.
type Case = (&'static str, &'static str, &'static str, &'static str, &'static str, bool);

fn check(cases: &[Case]) {
    for (executable, comm, arguments, directory, name, is_script) in cases {
        let arguments: Vec<String> = arguments.split('|').map(str::to_owned).collect();
        let program = program_of(&Invocation {
            executable: Some(*executable).filter(|name| !name.is_empty()),
            arguments: &arguments,
            comm,
            working_directory: Some(Path::new(directory)),
        });
        let source = if *is_script { Source::Script } else { Source::Executable };
        assert_eq!((program.name.as_str(), program.source), (*name, source), "{arguments:?}");
    }
}

#[test]
fn an_executable_goes_by_the_name_it_was_started_under() {
    check(&[
        (
            "postgres",
            "postgres",
            "/usr/lib/postgresql/15/bin/postgres|-D|/x",
            "/",
            "postgres",
            false,
        ),
        ("postgres", "postgres", "postgres: 15/main: walwriter ", "/", "postgres", false),
        ("nginx", "nginx", "nginx: worker process", "/", "nginx", false),
        (
            "redis-check-rdb",
            "redis-server",
            "/usr/bin/redis-server 127.0.0.1:6379",
            "/",
            "redis-server",
            false,
        ),
        ("x86_64-linux-gnu-gcc-12", "cc", "cc|-c|a.c", "/", "cc", false),
        ("bash", "bash", "-bash", "/", "bash", false),
        ("dash", "sh", "sh", "/", "sh", false),
        ("real-name", "real-name", "made-up|x", "/", "real-name", false),
        (
            "a-name-of-more-than-fifteen",
            "a-name-of-more-",
            "./a-name-of-more-than-fifteen",
            "/",
            "a-name-of-more-than-fifteen",
            false,
        ),
        ("", "worker", "/opt/shop/bin/shopd|-x", "/", "shopd", false),
        ("", "kworker/0:1", "", "/", "kworker/0:1", false),
        ("", "ééééééééé", "/opt/éééééééééé", "/", "éééééééééé", false),
        ("sshd", "sshd", "sshd: ann@pts/0", "/", "sshd", false),
    ]);
}

#[test]
fn python_goes_by_its_script_module_or_application() {
    check(&[
        (
            "python3.11",
            "report.py",
            "/usr/bin/python3|/srv/shop/report.py|--key|secret",
            "/",
            "report.py",
            true,
        ),
        ("python3.11", "python3", "python3|-X|dev|-um|shop.worker|--x", "/", "shop.worker", true),
        ("python3.11", "python3", "python3|main.py", "/srv/shop", "shop/main.py", true),
        ("python3.11", "python3", "python3|/srv/shop/__main__.py", "/", "shop", true),
        ("python3.11", "python3", "python3|-c|import os", "/", "python3", false),
        ("python3.11", "python3", "python3", "/", "python3", false),
        ("python3.11", "python3", "python3|-", "/", "python3", false),
        (
            "python3.11",
            "gunicorn",
            "/usr/bin/python3|/usr/bin/gunicorn|shop.wsgi",
            "/",
            "gunicorn shop.wsgi",
            true,
        ),
        (
            "python3.11",
            "gunicorn",
            "/usr/bin/python3|/usr/bin/gunicorn|-w|4|-k|gevent|--bind|0.0.0.0:80|--preload|shop.wsgi:application",
            "/",
            "gunicorn shop.wsgi",
            true,
        ),
        (
            "python3.11",
            "gunicorn",
            "gunicorn: worker [shop.wsgi:application]",
            "/",
            "gunicorn shop.wsgi",
            true,
        ),
        ("python3.11", "gunicorn", "gunicorn: master [shop.wsgi]", "/", "gunicorn shop.wsgi", true),
        (
            "python3.11",
            "gunicorn",
            "/usr/bin/python3|/usr/bin/gunicorn|-c|conf.py",
            "/srv/shop",
            "gunicorn shop",
            true,
        ),
        (
            "python3.11",
            "uvicorn",
            "/venv/bin/python|/venv/bin/uvicorn|shop.api:app|--port|80",
            "/",
            "uvicorn shop.api",
            true,
        ),
        (
            "python3.11",
            "python3",
            "python3|-m|uvicorn|--host|::|shop.api:app",
            "/",
            "uvicorn shop.api",
            true,
        ),
        (
            "python3.11",
            "celery",
            "/usr/bin/python3|/usr/bin/celery|-A|shop|worker|-l|info",
            "/",
            "celery shop",
            true,
        ),
        (
            "python3.11",
            "celery",
            "[celeryd: celery@web1:MainProcess] -active- (worker -A shop -l info)",
            "/",
            "celery shop",
            true,
        ),
        (
            "python3.11",
            "flask",
            "/usr/bin/python3|/usr/bin/flask|--app|shop.web|run",
            "/",
            "flask shop.web",
            true,
        ),
        (
            "python3.11",
            "flask",
            "/usr/bin/python3|/usr/bin/flask|run",
            "/srv/shop",
            "flask shop",
            true,
        ),
        (
            "python3.11",
            "fastapi",
            "/usr/bin/python3|/usr/bin/fastapi|run|/srv/shop/main.py",
            "/",
            "fastapi shop/main.py",
            true,
        ),
        (
            "python3.11",
            "airflow",
            "/usr/bin/python3|/usr/bin/airflow|scheduler",
            "/",
            "airflow scheduler",
            true,
        ),
        (
            "python3.11",
            "python3",
            "python3|manage.py|runserver",
            "/srv/shop",
            "shop/manage.py",
            true,
        ),
        ("python3.11", "shop-worker", "shop-worker: job 17", "/", "shop-worker", true),
        ("python3.11", "python3", "shopd", "/", "shopd", true),
        (
            "uwsgi",
            "uwsgi",
            "uwsgi|--master|--module|shop.wsgi:app|--processes|4",
            "/",
            "uwsgi shop.wsgi",
            true,
        ),
        ("uwsgi", "uwsgi", "uwsgi|--ini|/etc/uwsgi/apps/shop.ini", "/", "uwsgi shop.ini", true),
        ("pypy3.10", "pypy3", "pypy3|-m|", "/", "pypy3", false),
        ("python3.11", "python3", "python3|-m", "/", "python3", false),
    ]);
}

#[test]
fn javascript_goes_by_its_script_or_tool() {
    check(&[
        (
            "node",
            "node",
            "node|--max-old-space-size=4096|--require|./trace.js|/srv/shop/worker-mail.js",
            "/",
            "worker-mail.js",
            true,
        ),
        ("node", "node", "node|dist/index.js", "/srv/shop", "shop/index.js", true),
        ("node", "node", "node|-e|setInterval(()=>{},1)", "/", "node", false),
        ("node", "node", "node", "/", "node", false),
        ("node", "npm start", "npm start", "/srv/shop", "npm start", true),
        ("node", "npm run build", "npm run build", "/srv/shop", "npm run build", true),
        ("node", "node", "node|/usr/bin/yarn|start", "/srv/shop", "yarn start", true),
        (
            "node",
            "node",
            "node|/usr/lib/node_modules/npm/bin/npm-cli.js|run|serve",
            "/",
            "npm run serve",
            true,
        ),
        ("node", "node /srv/shop/", "node /srv/shop/server.js", "/", "shop/server.js", true),
        ("node", "PM2 v5.3.0: God", "PM2 v5.3.0: God Daemon (/root/.pm2)", "/", "pm2", true),
        ("node", "next-server (v1", "next-server (v14.1.0)", "/srv/shop", "next-server", true),
        (
            "node",
            "node",
            "node|/srv/shop/node_modules/.bin/next|start",
            "/srv/shop",
            "next shop",
            true,
        ),
        (
            "node",
            "node",
            "node|/srv/node_modules/.bin/ts-node|src/mail.ts",
            "/srv/shop",
            "mail.ts",
            true,
        ),
        ("node", "node", "node|--title=shop-api|server.js", "/", "shop-api", true),
        ("deno", "deno", "deno|run|--allow-net|main.ts", "/srv/shop", "shop/main.ts", true),
        ("deno", "deno", "deno|task|start", "/srv/shop", "deno task start", true),
        ("deno", "deno", "deno|run|-c|deno.json|mail.ts", "/", "mail.ts", true),
        ("bun", "bun", "bun|run|start", "/srv/shop", "bun run start", true),
        ("bun", "bun", "bun|--watch|mail.ts", "/", "mail.ts", true),
        ("bun", "bun", "bun", "/", "bun", false),
    ]);
}

#[test]
fn java_goes_by_its_archive_class_or_name() {
    check(&[
        ("java", "java", "java|-Xmx1g|-jar|/opt/app.jar|--server.port=80", "/", "app", true),
        ("java", "java", "java|-jar|shop-api-1.2.3-SNAPSHOT.jar", "/", "shop-api", true),
        ("java", "java", "java|-Dspring.application.name=orders|-jar|app.jar", "/", "orders", true),
        ("java", "java", "java|-jar|app.jar|--spring.application.name=orders", "/", "orders", true),
        (
            "java",
            "java",
            "java|-cp|/a.jar:/b.jar|--add-opens|java.base/x=ALL-UNNAMED|com.shop.OrderService",
            "/",
            "OrderService",
            true,
        ),
        (
            "java",
            "java",
            "java|-classpath|/a.jar|com.shop.Main|-jar|x.jar",
            "/",
            "com.shop.Main",
            true,
        ),
        ("java", "java", "java|-cp|/k/*|kafka.Kafka|server.properties", "/", "kafka", true),
        ("java", "java", "java|-p|mods|-m|com.shop/com.shop.web.Gateway", "/", "Gateway", true),
        (
            "java",
            "java",
            "java|-cp|/opt/shop-2.0.jar|org.springframework.boot.loader.launch.JarLauncher",
            "/",
            "shop",
            true,
        ),
        ("java", "java", "java|@/opt/args|com.shop.Billing", "/", "Billing", true),
        ("java", "java", "java|-version", "/", "java", false),
        (
            "jsvc",
            "jsvc",
            "jsvc.exec|-cp|/t.jar|org.apache.catalina.startup.Bootstrap",
            "/",
            "tomcat",
            true,
        ),
    ]);
    let arguments = ["java", "-jar", "/opt/shop-api-1.2.3-all.jar"].map(str::to_owned);
    let invocation = Invocation {
        executable: Some("java"),
        arguments: &arguments,
        comm: "java",
        working_directory: None,
    };
    assert_eq!(program_of(&invocation).version.as_deref(), Some("1.2.3"));
}

#[test]
fn other_interpreters_go_by_their_scripts() {
    check(&[
        ("ruby2.7", "ruby", "ruby|bin/rails|server|-p|80", "/srv/shop", "rails shop", true),
        (
            "ruby",
            "bundle",
            "/usr/bin/ruby|/usr/bin/bundle|exec|sidekiq|-q|x",
            "/srv/shop",
            "sidekiq shop",
            true,
        ),
        ("ruby", "ruby", "puma: cluster worker 0: 4711 [shop]", "/srv/shop", "puma shop", true),
        ("ruby", "ruby", "puma 6.4.0 (tcp://0.0.0.0:3000) [shop]", "/", "puma shop", true),
        ("ruby", "ruby", "sidekiq 7.1.0 shop [0 of 5 busy]", "/", "sidekiq shop", true),
        ("ruby", "ruby", "unicorn worker[0] -c config/unicorn.rb", "/", "unicorn", true),
        ("ruby", "ruby", "Passenger RubyApp: /srv/shop (production)", "/", "passenger shop", true),
        ("ruby", "ruby", "ruby|-Ilib|-rjson|-W0|mail.rb", "/", "mail.rb", true),
        ("ruby", "ruby", "ruby|-e|sleep", "/", "ruby", false),
        ("perl", "mail.pl", "/usr/bin/perl|-w|-I|lib|-Mstrict|/srv/mail.pl", "/", "mail.pl", true),
        ("perl", "perl", "perl|-lne|print", "/", "perl", false),
        ("php-fpm8.2", "php-fpm8.2", "php-fpm: pool www", "/", "php-fpm www", true),
        (
            "php-fpm8.2",
            "php-fpm8.2",
            "php-fpm: master process (/etc/php/8.2/fpm/php-fpm.conf)",
            "/",
            "php-fpm",
            true,
        ),
        (
            "php8.2",
            "php",
            "php|-d|memory_limit=1G|artisan|queue:work",
            "/srv/shop",
            "shop/artisan",
            true,
        ),
        ("php8.2", "php", "php|-f|/srv/mail.php", "/", "mail.php", true),
        ("php8.2", "php", "php|-S|0.0.0.0:80", "/", "php", false),
        ("bash", "backup.sh", "/bin/bash|-eo|pipefail|/opt/backup.sh", "/", "backup.sh", true),
        ("bash", "bash", "bash|+o|history|/opt/backup.sh", "/", "backup.sh", true),
        ("dash", "sh", "sh|-c|exec shop --password x", "/", "sh", false),
        ("dotnet", "dotnet", "dotnet|/app/Shop.Api.dll|--urls|http://*:80", "/", "Shop.Api", true),
        ("dotnet", "dotnet", "dotnet|exec|--runtimeconfig|x.json|Shop.dll", "/", "Shop", true),
        ("dotnet", "dotnet", "dotnet|build", "/", "dotnet build", true),
        (
            "beam.smp",
            "beam.smp",
            "beam.smp|-W|w|--|-root|/r|-progname|erl|--|-sname|rabbit@web1|-noshell",
            "/",
            "rabbit",
            true,
        ),
        (
            "beam.smp",
            "beam.smp",
            "beam.smp|--|-root|/r|-progname|/opt/shop/bin/shop|--",
            "/",
            "shop",
            true,
        ),
        (
            "beam.smp",
            "beam.smp",
            "beam.smp|--|-progname|erl|--|-extra|/usr/bin/mix|phx.server",
            "/",
            "mix phx.server",
            true,
        ),
        ("beam.smp", "beam.smp", "beam.smp|--|-progname|erl", "/", "beam.smp", false),
        ("lua5.4", "lua", "lua|-l|x|mail.lua", "/", "mail.lua", true),
    ]);
}

#[test]
fn a_wrapper_goes_by_what_it_wraps() {
    check(&[
        ("sudo", "sudo", "sudo|-u|ann|TIER=gold|/opt/shopd|--key|x", "/", "shopd", false),
        ("sudo", "sudo", "sudo|--user=ann|--|python3|/srv/mail.py", "/", "mail.py", true),
        ("tini", "tini", "/sbin/tini|-g|--|java|-jar|app.jar", "/", "app", true),
        ("timeout", "timeout", "timeout|-k|5|30|gzip|x", "/", "gzip", false),
        ("env", "env", "env|-i|A=b|node|mail.js", "/", "mail.js", true),
        ("busybox", "busybox", "busybox|httpd|-f", "/", "httpd", false),
        ("busybox", "httpd", "httpd|-f", "/", "httpd", false),
        ("busybox", "sh", "sh|/opt/backup.sh", "/", "backup.sh", true),
        (
            "ld-linux-x86-64.so.2",
            "ld-linux-x86-64",
            "/lib64/ld-linux-x86-64.so.2|--library-path|/l|/opt/shopd",
            "/",
            "shopd",
            false,
        ),
        (
            "ld-musl-x86_64.so.1",
            "ld-musl-x86_64.",
            "/lib/ld-musl-x86_64.so.1|/opt/shopd",
            "/",
            "shopd",
            false,
        ),
        (
            "qemu-aarch64-static",
            "shopd",
            "/usr/bin/qemu-aarch64-static|/opt/shopd",
            "/",
            "shopd",
            false,
        ),
        ("sudo", "sudo", "sudo|tini|env|nice|nohup|setsid|shopd", "/", "nohup", false),
        ("sudo", "sudo", "sudo|-i", "/", "sudo", false),
        ("tini", "tini", "tini|--", "/", "tini", false),
    ]);
}

proptest! {
    #[test]
    fn no_command_line_makes_it_panic(
        executable in "(python3|node|java|ruby|perl|php-fpm|php|bash|dotnet|beam.smp|deno|bun|sudo|busybox|uwsgi|ld-linux.so|x)",
        arguments in proptest::collection::vec("(-m|-c|-[a-zA-Z]{1,4}|--[a-z]{0,5}=?|-jar|-cp|exec|run|gunicorn|celery|bundle|[ /:\\[\\]()=@.é]{0,4}|[a-z/.é]{0,9})", 0..6),
        comm in "\\PC{0,15}",
        directory in "(/[a-zé.]{0,5}){0,3}",
    ) {
        program_of(&Invocation {
            executable: Some(&executable),
            arguments: &arguments,
            comm: &comm,
            working_directory: Some(Path::new(&directory)),
        });
    }
}
