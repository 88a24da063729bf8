import ClientTestSupport
@testable import Redis
import Runtime
import Testing

/// Certificates that were made in a folder: of an authority, another authority, a server named
/// `localhost` and 127.0.0.1, a server of another name, and a client.
private struct Certificates {
    let folder: String

    init() throws {
        folder = try makeFolder()
        try make("authority", "basicConstraints=critical,CA:TRUE", signedBy: nil)
        try make("stranger", "basicConstraints=critical,CA:TRUE", signedBy: nil)
        try make("server", "subjectAltName=DNS:localhost,IP:127.0.0.1", signedBy: "authority")
        try make("other", "subjectAltName=DNS:other.example,IP:127.0.0.2", signedBy: "authority")
        try make("client", "extendedKeyUsage=clientAuth", signedBy: "authority")
    }

    private func make(_ name: String, _ addition: String, signedBy authority: String?) throws {
        var arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path(name, "key"), "-out", path(name, "crt"), "-days", "2", "-subj",
            "/CN=" + name, "-addext", addition,
        ]
        if let authority {
            arguments += [
                "-addext", "basicConstraints=critical,CA:FALSE", "-CA", path(authority, "crt"),
                "-CAkey", path(authority, "key"),
            ]
        }
        try run("openssl", arguments)
    }

    func path(_ name: String, _ kind: String) -> String { "\(folder)/\(name).\(kind)" }

    func server(_ name: String, clients: String = "no", _ more: [String] = []) -> [String] {
        [
            "--port", "0", "--tls-port", "{port}", "--tls-auth-clients", clients,
            "--tls-ca-cert-file", path("authority", "crt"), "--tls-cert-file", path(name, "crt"),
            "--tls-key-file", path(name, "key"),
        ] + more
    }

    func files(client: Bool = false, authority: String = "authority") -> RedisTLSFiles {
        RedisTLSFiles(
            authorities: path(authority, "crt"),
            certificate: client ? path("client", "crt") : nil,
            key: client ? path("client", "key") : nil)
    }
}

@Suite("TLS, login and sockets against servers of their own")
struct RedisTLSTests {
    private func configuration(
        _ server: RedisServerProcess, host: String = "localhost", files: RedisTLSFiles? = nil,
        credentials: String = "", database: Int = 0
    ) throws -> RedisConfiguration {
        let address = try RedisAddress.parse(
            "rediss://\(credentials)\(host):\(server.port)/\(database)")
        var configuration = RedisConfiguration(
            address: address, tls: try files.map { try RedisTLS($0) })
        configuration.connectTimeout = .seconds(10)
        return configuration
    }

    /// What one PING leads to: nil if it was answered.
    private func failure(_ configuration: RedisConfiguration) async -> RedisConnectFailure? {
        await onLoop { loop in
            let client = RedisClient(loop: loop, configuration: configuration)
            defer { client.close() }
            guard await outcome(client, ["PING"]).failure != nil else { return nil }
            return client.lastConnectFailure
        }
    }

    @Test("names, addresses, a user with a password, a database; large values and many calls")
    func works() async throws {
        let certificates = try Certificates()
        let rules = ["--user", "me", "on", ">s@cr:t/", "~*", "&*", "+@all"]
        let server = try RedisServerProcess(
            certificates.server("server", rules), folder: certificates.folder)
        defer { server.stop() }
        let files = certificates.files()
        try await server.waitUntilReady(configuration(server, files: files))
        #expect(try await failure(configuration(server, host: "127.0.0.1", files: files)) == nil)
        let secure = try configuration(
            server, files: files, credentials: "me:s%40cr%3At%2F@", database: 3)
        let value = String(repeating: "0123456789", count: 300_000)
        let (text, name, wrong, selected) = await onLoop { loop in
            let client = RedisClient(loop: loop, configuration: secure)
            defer { client.close() }
            _ = await outcome(client, ["SET", "large", value])
            let text = try? await outcome(client, ["GET", "large"]).get().string
            let name = try? await outcome(client, ["ACL", "WHOAMI"]).get().string
            let wrong = Lock(0)
            for index in 0..<4_000 {
                client.command(["ECHO", "\(index)"], deadline: .after(.seconds(60))) { reply in
                    let isRight = (try? reply.get())?.string == index.description
                    wrong.withLock { $0 += isRight ? 0 : 1 }
                }
            }
            let size = try? await outcome(client, ["DBSIZE"]).get()
            return (text, name, wrong.withLock { $0 }, size)
        }
        #expect(text == value)
        #expect(name == "me")
        #expect(wrong == 0)
        #expect(selected == .integer(1))
        let refused = try configuration(server, files: files, credentials: "me:wrong@")
        #expect(await failure(refused) == .loginRefused(code: "WRONGPASS"))
    }

    @Test("who cannot prove to be the server is refused")
    func untrusted() async throws {
        let certificates = try Certificates()
        let server = try RedisServerProcess(
            certificates.server("server"), folder: certificates.folder)
        defer { server.stop() }
        let files = certificates.files()
        try await server.waitUntilReady(configuration(server, files: files))

        let strange = certificates.files(authority: "stranger")
        #expect(try await failure(configuration(server, files: strange)) == .certificateRefused)
        // The system's authorities know none of this.
        #expect(try await failure(configuration(server)) == .certificateRefused)
        let plain = try RedisAddress.parse("redis://localhost:\(server.port)")
        #expect(await failure(RedisConfiguration(address: plain)) == .brokenOff)

        let other = try RedisServerProcess(certificates.server("other"))
        defer { other.stop() }
        try await other.waitUntilReady(configuration(other, host: "127.0.0.2", files: files))
        #expect(try await failure(configuration(other, files: files)) == .certificateRefused)
        let byAddress = try configuration(other, host: "127.0.0.1", files: files)
        #expect(await failure(byAddress) == .certificateRefused)

        let clear = try RedisServerProcess()
        defer { clear.stop() }
        try await clear.waitUntilReady(clear.configuration)
        #expect(try await failure(configuration(clear, files: files)) == .handshakeFailed)
    }

    @Test("a certificate of this side, where the server asks for one")
    func clientCertificate() async throws {
        let certificates = try Certificates()
        let server = try RedisServerProcess(
            certificates.server("server", clients: "yes"), folder: certificates.folder)
        defer { server.stop() }
        let with = certificates.files(client: true)
        try await server.waitUntilReady(configuration(server, files: with))
        #expect(try await failure(configuration(server, files: certificates.files())) == .brokenOff)
    }

    @Test("files that cannot be used")
    func files() throws {
        let certificates = try Certificates()
        defer { try? run("rm", ["-r", certificates.folder]) }
        let good = certificates.files(client: true)
        let cases: [(RedisTLSFiles, RedisTLSError)] = [
            (RedisTLSFiles(authorities: "/no/such"), .authoritiesUnreadable),
            (RedisTLSFiles(authorities: good.key), .authoritiesUnreadable),
            (RedisTLSFiles(certificate: good.certificate), .certificateOrKeyMissing),
            (RedisTLSFiles(key: good.key), .certificateOrKeyMissing),
            (RedisTLSFiles(certificate: "/no/such", key: good.key), .certificateUnreadable),
            (RedisTLSFiles(certificate: good.certificate, key: "/no/such"), .keyUnreadable),
            (
                RedisTLSFiles(
                    certificate: good.certificate, key: certificates.path("server", "key")),
                .keyUnreadable
            ),
        ]
        for (files, expected) in cases {
            #expect(throws: expected) { _ = try RedisTLS(files) }
        }
        _ = try RedisTLS(good)
    }

    @Test("a Unix socket and a database")
    func unixSocket() async throws {
        let server = try RedisServerProcess(["--port", "0", "--unixsocket", "{folder}/socket"])
        defer { server.stop() }
        let address = try RedisAddress.parse("unix:\(server.folder)/socket?db=5")
        let configuration = RedisConfiguration(address: address)
        try await server.waitUntilReady(configuration)
        let list = await onLoop { loop in
            let client = RedisClient(loop: loop, configuration: configuration)
            defer { client.close() }
            return try? await outcome(client, ["CLIENT", "LIST"]).get().string
        }
        #expect(list?.contains(" db=5 ") == true)
    }

    @Test("what a stranger sends during the handshake", arguments: [
        "+OK\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "\u{16}\u{3}\u{3}\u{0}\u{1}x", "",
    ])
    func handshake(_ answer: String) async throws {
        let server = StubServer { connection in
            _ = connection.receive()
            connection.send(answer)
        }
        defer { server.stop() }
        let address = try RedisAddress.parse("rediss://127.0.0.1:\(server.port)")
        #expect(await failure(RedisConfiguration(address: address)) == .handshakeFailed)
    }

    @Test("a server that is silent during the handshake")
    func silence() async throws {
        let server = StubServer { $0.waitForClose() }
        defer { server.stop() }
        let address = try RedisAddress.parse("rediss://127.0.0.1:\(server.port)")
        var configuration = RedisConfiguration(address: address)
        configuration.connectTimeout = .milliseconds(200)
        #expect(await failure(configuration) == .timedOut)
    }
}
