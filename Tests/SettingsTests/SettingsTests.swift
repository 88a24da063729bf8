import Settings
import Testing

@Suite("Settings")
struct SettingsTests {
    static let catalog = [
        Setting("FOURFOLD_BODY_MAX", .byteCount(1024...(1 << 30)), default: "1MiB", "Body."),
        Setting(
            "FOURFOLD_REQUEST_TIMEOUT", .duration(.milliseconds(10)...(.seconds(60))),
            default: "5s", "Time."),
        Setting("FOURFOLD_LANES", .flag, default: "on", "Lanes."),
        Setting("FOURFOLD_LOOPS", .integer(1...64, unit: "loops"), default: "2", "Loops."),
        Setting("NEO4J_URL", .secret, default: nil, "Graph."),
    ]

    private func load(
        _ arguments: [String] = [], _ environment: [String: String] = [:], _ file: String? = nil
    ) throws(SettingsError) -> Settings {
        try Settings.load(
            catalog: Self.catalog, arguments: arguments, environment: { environment[$0] },
            configFile: file, extraFlags: ["--pack": true, "--dry-run": false])
    }

    @Test("a flag beats the environment, which beats the file, which beats the default")
    func precedence() throws {
        let file = "# limits\nFOURFOLD_BODY_MAX = 2KiB\nFOURFOLD_LOOPS=3\nFOURFOLD_LANES=off\n"
        let settings = try load(
            ["--loops=5", "--pack", "x", "left", "--dry-run"],
            ["FOURFOLD_LOOPS": "4", "FOURFOLD_LANES": "on", "NEO4J_URL": ""], file)
        #expect(settings.integer("FOURFOLD_BODY_MAX") == 2048)
        #expect(settings.integer("FOURFOLD_LOOPS") == 5)
        #expect(settings.isOn("FOURFOLD_LANES"))
        #expect(settings.duration("FOURFOLD_REQUEST_TIMEOUT") == .seconds(5))
        #expect(settings.text("NEO4J_URL") == nil)
        #expect(settings.arguments == ["--pack", "x", "left", "--dry-run"])
    }

    @Test(
        "a name that one slip separates from a setting is told",
        arguments: [
            ("FOURFOLD_LOOP", "FOURFOLD_LOOPS"), ("FOURFOLD_LOOOPS", "FOURFOLD_LOOPS"),
            ("FOURFOLD_LOOBS", "FOURFOLD_LOOPS"), ("FOURFOLD_LOPOS", "FOURFOLD_LOOPS"),
            ("FOURFOLD_OLOPS", "FOURFOLD_LOOPS"), ("FOURFOLD_LANE", "FOURFOLD_LANES"),
            ("FOURFOLD_LOOPS", nil), ("FOURFOLD_LO", nil), ("FOURFOLD_RUN_DIR", nil),
            ("FOURFOLD_LOOSP_", nil), ("NEO4J_URI", nil), ("FOURFOLD_", nil),
        ] as [(String, String?)])
    func misspelt(name: String, meant: String?) {
        let found = Misspelling.find([name, "PATH"], catalog: Self.catalog)
        #expect(found.map(\.name) == (meant == nil ? [] : [name]))
        #expect(found.first?.meant == meant)
    }

    @Test("all mistakes are told at once, without values")
    func mistakes() {
        do throws(SettingsError) {
            _ = try load(
                ["--nonsense", "--loops"], ["FOURFOLD_REQUEST_TIMEOUT": "secret"],
                "what\nOTHER=1\nFOURFOLD_LOOPS=65")
            Issue.record("mistakes were accepted")
        } catch {
            #expect(
                error.mistakes == [
                    "config file, line 1: expected NAME=value",
                    "config file, line 2: no setting named OTHER",
                    "FOURFOLD_LOOPS (config file, line 3): must be 1…64 loops",
                    "FOURFOLD_REQUEST_TIMEOUT (environment): must be 10ms…1m",
                    "no flag --nonsense",
                    "--loops needs a value",
                ])
        }
    }

    @Test(
        "durations",
        arguments: [
            ("250ms", Duration.milliseconds(250)), ("5s", .seconds(5)), ("24h", .seconds(86400)),
            ("1.5s", nil), ("s", nil), ("-1s", nil), ("5", nil), ("99999999999999999999s", nil),
        ])
    func durations(_ text: String, _ expected: Duration?) {
        #expect(parseDuration(text) == expected)
    }

    @Test("what is written can be read", arguments: ["1ms", "90s", "2m", "36h", "1d"])
    func roundTrip(_ text: String) throws {
        let duration = try #require(parseDuration(text))
        #expect(parseDuration(writeDuration(duration)) == duration)
    }
}
