import Testing

@testable import Gateway

@Suite("ClientAddress")
struct ClientAddressTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let peer: String?
        var forwarded: String?
        var xForwardedFor: String?
        let expected: String?

        init(
            _ name: String, peer: String? = "10.0.0.1", forwarded: String? = nil,
            x: String? = nil, _ expected: String?
        ) {
            testDescription = name
            self.peer = peer
            self.forwarded = forwarded
            xForwardedFor = x
            self.expected = expected
        }
    }

    static let trusted = "10.0.0.0/8, 2001:db8:ffff::/48, 192.0.2.200, unix"

    static let cases: [Case] = [
        Case("no header", "10.0.0.1"),
        Case("one hop", x: "203.0.113.7", "203.0.113.7"),
        Case("the nearest counts", x: "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        Case("trusted hops are passed", x: "203.0.113.7, 10.9.9.9,192.0.2.200", "203.0.113.7"),
        Case("all trusted: the furthest", x: "10.1.1.1, 10.2.2.2", "10.1.1.1"),
        Case("a spoofed trusted hop stops at the real one", x: "10.1.1.1, 203.0.113.7, 10.2.2.2",
            "203.0.113.7"),
        Case("an untrusted peer", peer: "203.0.113.1", x: "198.51.100.1", "203.0.113.1"),
        Case("an untrusted peer, Forwarded", peer: "203.0.113.1", forwarded: "for=198.51.100.1",
            "203.0.113.1"),
        Case("an untrusted neighbour of the network", peer: "11.0.0.1", x: "198.51.100.1",
            "11.0.0.1"),
        Case("a mapped peer", peer: "::ffff:10.0.0.1", x: "203.0.113.7", "203.0.113.7"),
        Case("a mapped hop", x: "::ffff:203.0.113.7", "203.0.113.7"),
        Case("a mapped trusted hop", x: "203.0.113.7, ::FFFF:10.3.3.3", "203.0.113.7"),
        Case("IPv6", x: "2001:DB8:0:0::1", "2001:db8::1"),
        Case("IPv6 in brackets with a port", x: "[2001:db8::1]:443", "2001:db8::1"),
        Case("a trusted IPv6 hop", x: "2001:db8::1, 2001:db8:ffff::5", "2001:db8::1"),
        Case("IPv4 with a port", x: "203.0.113.7:65000", "203.0.113.7"),
        Case("a zone is no address", x: "fe80::1%eth0", "10.0.0.1"),
        Case("garbage on the left", x: "\";drop, ,, 203.0.113.7", "203.0.113.7"),
        Case("garbage on the right", x: "203.0.113.7, nonsense", "10.0.0.1"),
        Case("octal and short forms", x: "0177.1", "10.0.0.1"),
        Case("unknown", x: "203.0.113.7, unknown", "10.0.0.1"),
        Case("an empty header", x: "", "10.0.0.1"),
        Case("only commas", x: " , ,\t,", "10.0.0.1"),
        Case("a NUL", x: "203.0.113.7\u{0}", "10.0.0.1"),
        Case("more hops than are looked at",
            x: "203.0.113.7" + String(repeating: ", 10.0.0.2", count: 40), "10.0.0.1"),
        Case("Forwarded", forwarded: "for=203.0.113.7", "203.0.113.7"),
        Case("Forwarded with all members",
            forwarded: "By=10.0.0.9;FOR=203.0.113.7;host=x;proto=https", "203.0.113.7"),
        Case("Forwarded with spaces", forwarded: "for=203.0.113.7 ; proto=http", "203.0.113.7"),
        Case("Forwarded, quoted IPv6", forwarded: #"for="[2001:db8::1]:4711""#, "2001:db8::1"),
        Case("Forwarded, quoted IPv4", forwarded: #"for="203.0.113.7:47011""#, "203.0.113.7"),
        Case("Forwarded, an obfuscated port", forwarded: #"for="203.0.113.7:_x""#, "203.0.113.7"),
        Case("Forwarded, a chain", forwarded: "for=198.51.100.1, for=203.0.113.7, for=10.4.4.4",
            "203.0.113.7"),
        Case("Forwarded, obfuscated", forwarded: "for=_gazonk", "10.0.0.1"),
        Case("Forwarded, obfuscated further left",
            forwarded: "for=_gazonk, for=203.0.113.7", "203.0.113.7"),
        Case("Forwarded, unknown", forwarded: "for=unknown", "10.0.0.1"),
        Case("Forwarded without for", forwarded: "proto=https;host=x", "10.0.0.1"),
        Case("Forwarded with two for", forwarded: "for=1.1.1.1;for=203.0.113.7", "10.0.0.1"),
        Case("Forwarded, nonsense", forwarded: "nonsense", "10.0.0.1"),
        Case("Forwarded, a quote left open on the left",
            forwarded: #"for="10.0.0.2, for=203.0.113.7"#, "203.0.113.7"),
        Case("Forwarded, a comma and quotes in a host",
            forwarded: #"for=203.0.113.7;host="a\", for=1.1.1.1, b=\"""#, "203.0.113.7"),
        Case("Forwarded, a host that ends with a backslash",
            forwarded: #"for=203.0.113.7;host="a\\""#, "203.0.113.7"),
        Case("Forwarded, a quote left open on the right", forwarded: #"for="203.0.113.7"#,
            "10.0.0.1"),
        Case("Forwarded wins", forwarded: "for=203.0.113.7", x: "198.51.100.1", "203.0.113.7"),
        Case("Forwarded wins though it is useless", forwarded: "for=_x", x: "198.51.100.1",
            "10.0.0.1"),
        Case("a Unix socket", peer: "unix", x: "203.0.113.7", "203.0.113.7"),
        Case("a Unix socket without a header", peer: "unix", nil),
        Case("a Unix socket with garbage", peer: "unix", x: "?", nil),
        Case("a peer that has left", peer: nil, x: "203.0.113.7", nil),
    ]

    @Test("whose address counts", arguments: cases)
    func find(_ each: Case) throws {
        let proxies = try #require(TrustedProxies(Self.trusted))
        let peer: ClientAddress.Peer =
            switch each.peer {
            case nil: .unknown
            case "unix": .unixSocket
            case .some(let text): .address(try #require(IPAddress(text)))
            }
        let found = ClientAddress.find(
            peer: peer, forwarded: each.forwarded, xForwardedFor: each.xForwardedFor,
            trusting: proxies)
        #expect(found?.text == each.expected)
    }

    @Test("without proxies no header is read")
    func nobody() throws {
        for peer in [ClientAddress.Peer.unixSocket, .address(try #require(IPAddress("10.0.0.1")))] {
            let found = ClientAddress.find(
                peer: peer, forwarded: "for=203.0.113.7", xForwardedFor: "203.0.113.7",
                trusting: TrustedProxies())
            #expect(found?.text != "203.0.113.7")
        }
    }

    @Test(
        "settings that are no list of proxies",
        arguments: [
            "10.0.0.1/8", "10.0.0.0/33", "::1/129", "localhost", "10.0.0.0/", "10.0.0.0/8/8",
            "10.0.0.0/-1", "::ffff:10.0.0.0/104", "unixx", "10.0.0.0/+8",
        ])
    func badProxies(_ text: String) {
        #expect(TrustedProxies(text) == nil)
    }

    @Test("networks end at their last bit")
    func networks() throws {
        let network = try #require(IPNetwork("172.16.0.0/12"))
        for (text, isInside) in [
            ("172.16.0.0", true), ("172.31.255.255", true), ("172.32.0.0", false),
            ("172.15.255.255", false), ("2001:db8::1", false),
        ] {
            #expect(network.contains(try #require(IPAddress(text))) == isInside, "\(text)")
        }
        let all = try #require(IPNetwork("0.0.0.0/0"))
        #expect(all.contains(try #require(IPAddress("255.255.255.255"))))
        #expect(!all.contains(try #require(IPAddress("::1"))))
    }

    @Test("IPv6 is counted by its /64")
    func limitedNames() throws {
        #expect(IPAddress("2001:db8:1:2:3:4:5:6")?.limitedName == "2001:db8:1:2::/64")
        #expect(IPAddress("::1")?.limitedName == "::/64")
        #expect(IPAddress("::ffff:192.0.2.1")?.limitedName == "192.0.2.1")
        #expect(IPAddress("192.0.2.1")?.limitedName == "192.0.2.1")
    }
}
