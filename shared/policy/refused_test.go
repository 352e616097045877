package policy_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/shared/policy"
)

// utf16 is how some editors save plain text. The YAML parser would take it.
func utf16(text string) string {
	return "\xff\xfe" + strings.Join(strings.SplitAfter(text, ""), "\x00") + "\x00"
}

// Every message that a writer of a policy can meet, as it is printed.
func TestRefusesAFileWith(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string // without the name of the file
	}{
		// The file as a whole.
		{"nothing in it", "", []string{
			"1:1: the file holds no policy; begin with version: 1",
		}},
		{"only comments", "# version: 1\n", []string{
			"1:1: the file holds no policy; begin with version: 1",
		}},
		{"an empty document", "---\n", []string{
			"1:1: the file holds no policy; begin with version: 1",
		}},
		{"a list in place of the policy", "- version: 1\n", []string{
			`1:1: the policy is a list; write version: 1, then "limits" and a section for each control`,
		}},
		{"a word in place of the policy", "version 1\n", []string{
			`1:1: the policy is text; write version: 1, then "limits" and a section for each control`,
		}},
		{"a second document", head + rule + "---\nversion: 1\n", []string{
			"7:1: a second document begins here; keep one document in the file",
		}},
		{"a broken third document", head + rule + "---\nversion: 1\n---\na: 'b' c\n", []string{
			"7:1: a second document begins here; keep one document in the file",
		}},
		{"a key that is a list, and an unknown one after it", head + "? [a]\n: 1\nwat: 2\n" + rule, []string{
			`3:3: a key is a list; write one of "version", "limits", "enforce_on", "external_connections", "package_groups", "package_origins", "proton_connections"`,
			`5:1: unknown key "wat"; the names here are "version", "limits", "enforce_on", "external_connections", "package_groups", "package_origins", "proton_connections"`,
		}},
		{"a key that is too short to guess", "version: 1\nlimits: {co: 1, count: 10, share: 10%}\n" + rule, []string{
			`2:10: unknown key "co"; the names here are "count", "share"`,
		}},
		{"a broken second document", head + rule + "---\na: 'b' c\n", []string{
			"8:1: not YAML: did not find expected key; mind the quotes, the brackets and the indentation",
		}},
		{"more than 64 KiB", head + rule + strings.Repeat("#", 64<<10), []string{
			"1:1: the file is larger than 64 KiB; shorten it, for example with patterns",
		}},
		{"bytes that are not UTF-8", head + rule + "      reason: \"caf\xe9\"\n", []string{
			"7:19: the file is not UTF-8 text; save it as UTF-8",
		}},
		{"UTF-16", "\xff\xfev\x00e\x00", []string{
			"1:1: the file is not UTF-8 text; save it as UTF-8",
		}},
		{"a whole policy in UTF-16", utf16(head + rule), []string{
			"1:1: the file is not UTF-8 text; save it as UTF-8",
		}},
		{"a NUL", head + rule + "      reason: \"a\x00b\"\n", []string{
			"7:17: invisible character U+0000; delete it",
		}},
		{"an escape character", head + rule + "# \x1b[2J\n", []string{
			"7:3: invisible character U+001B; delete it",
		}},
		{"text that runs backwards", head + rule + "# \u202e\n", []string{
			"7:3: invisible character U+202E; delete it",
		}},
		{"a second byte order mark", head + rule + "# \ufeff\n", []string{
			"7:3: invisible character U+FEFF; delete it",
		}},
		{"a line break that editors do not show", head + rule + "# no\u2028      accounts: [x]\n", []string{
			"7:5: invisible character U+2028; delete it",
		}},
		{"a carriage return on its own", head + rule + "# no\r      accounts: [x]\n", []string{
			"7:5: invisible character U+000D; delete it",
		}},

		// YAML.
		{"a tab before a key", "version: 1\nlimits:\n\tcount: 10\n", []string{
			"3:1: a tab in the indentation; indent with spaces",
		}},
		{"a tab that violates indentation", head + "external_connections:\n  allow: []\n\twaivers: []\n", []string{
			"5:1: a tab in the indentation; indent with spaces",
		}},
		{"a tab in folded text", head + rule + "      reason: |\n        a\n\tb\n", []string{
			"9:1: a tab in the indentation; indent with spaces",
		}},
		{"an unclosed list", head + "external_connections:\n  allow: [\n", []string{
			"4:1: not YAML: did not find expected node content; mind the quotes, the brackets and the indentation",
		}},
		{"an unclosed quote", head + rule + "      reason: \"Old.\n", []string{
			"7:1: not YAML: found unexpected end of stream; mind the quotes, the brackets and the indentation",
		}},
		{"an unclosed quote before a last carriage return", "version: \"1\r", []string{
			"1:1: not YAML: found unexpected end of stream; mind the quotes, the brackets and the indentation",
		}},
		{"a colon too many", head + rule + "      reason: Why: because\n", []string{
			"7:1: not YAML: mapping values are not allowed in this context; mind the quotes, the brackets and the indentation",
		}},
		{"a key without a colon", head + rule + "      reason\n", []string{
			"7:1: not YAML: could not find expected ':'; mind the quotes, the brackets and the indentation",
		}},
		{"text after a quote", "# comment\n\n" + head + rule + "      reason: 'Old' one\n", []string{
			"9:1: not YAML: did not find expected key; mind the quotes, the brackets and the indentation",
		}},
		{"a sign that begins no value", head + rule + "      reason: @home\n", []string{
			"7:1: not YAML: found character that cannot start any token; mind the quotes, the brackets and the indentation",
		}},
		{"an unquoted star", allowing + "    - repositories: [*/*]\n", []string{
			"5:1: a value begins with * or & and is not in quotes; put a pattern that begins with * in quotes, and write any other value out where it is used",
		}},
		{"an unquoted star before a name", allowing + "    - repositories: [corp/x]\n      connections:\n      - *npm\n", []string{
			"7:1: a value begins with * or & and is not in quotes; put a pattern that begins with * in quotes, and write any other value out where it is used",
		}},
		{"50,000 nested brackets", strings.Repeat("[", 50_000), []string{
			"1:1: not YAML: exceeded max depth of 10000; mind the quotes, the brackets and the indentation",
		}},
		{"an undefined tag handle", head + rule + "      reason: !e!x a\n", []string{
			"7:1: not YAML: found undefined tag handle; mind the quotes, the brackets and the indentation",
		}},
		{"an anchor and an alias", allowing + "    - repositories: &r [corp/x]\n      connections: [public:npmjs]\n    - repositories: *r\n      connections: [public:npmjs]\n", []string{
			`5:21: anchor "&r"; remove it, and write the value out where it is used`,
			`7:21: alias "*r"; put a pattern that begins with * in quotes, and write any other value out where it is used`,
		}},
		{"a merge key", allowing + "    - &a\n      repositories: [corp/x]\n      connections: [public:npmjs]\n    - <<: *a\n      reason: <<\n", []string{
			`5:7: anchor "&a"; remove it, and write the value out where it is used`,
			"8:7: merge key <<; write the keys out",
			`8:7: external_connections.allow[1] lacks "repositories"; add repositories: ["corp/npm-store"]`,
			`8:7: external_connections.allow[1] lacks "connections"; add connections: ["public:npmjs"]`,
			`8:11: alias "*a"; put a pattern that begins with * in quotes, and write any other value out where it is used`,
			"9:15: merge key <<; write the keys out",
		}},
		{"a tag", allowing + "    - repositories: !!binary [corp/x]\n      connections: [!foo public:npmjs]\n      reason: !!str 1\n", []string{
			`5:21: tag "!!binary"; remove it`,
			`6:21: tag "!foo"; remove it`,
			`7:15: tag "!!str"; remove it`,
		}},
		{"a tagged root", "!policy\nversion: 1\n", []string{
			`1:1: tag "!policy"; remove it`,
		}},

		// Keys.
		{"an unknown key near a known one", head + "external_connections:\n  alow: []\n", []string{
			`4:3: unknown key "alow"; write "allow"`,
			`4:3: external_connections lacks "allow"; add a list of rules, or allow: [] to allow nothing`,
		}},
		{"an unknown key far from any", head + rule + "      severity: high\n", []string{
			`7:7: unknown key "severity"; the names here are "repositories", "connections", "accounts", "reason"`,
		}},
		{"a shortened key", allowing + "    - repos: [corp/x]\n      connections: [public:npmjs]\n", []string{
			`5:7: unknown key "repos"; write "repositories"`,
			`5:7: external_connections.allow[0] lacks "repositories"; add repositories: ["corp/npm-store"]`,
		}},
		{"keys with letters missing and letters too many", allowing + "    - {repostries: [corp/x], connnectionns: [public:npmjs]}\n", []string{
			`5:7: external_connections.allow[0] lacks "repositories"; add repositories: ["corp/npm-store"]`,
			`5:7: external_connections.allow[0] lacks "connections"; add connections: ["public:npmjs"]`,
			`5:8: unknown key "repostries"; write "repositories"`,
			`5:30: unknown key "connnectionns"; write "connections"`,
		}},
		{"a very long key", head + strings.Repeat("k", 900) + ": 1\n", []string{
			`3:1: unknown key "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"; the names here are "version", "limits", "enforce_on", "external_connections", "package_groups", "package_origins", "proton_connections"`,
		}},
		{"a key that is a list", head + "? [a]\n: b\n", []string{
			`3:3: a key is a list; write one of "version", "limits", "enforce_on", "external_connections", "package_groups", "package_origins", "proton_connections"`,
		}},
		{"no key", head + ": b\n", []string{
			"3:1: not YAML: did not find expected key; mind the quotes, the brackets and the indentation",
		}},
		{"a duplicate key", head + "external_connections:\n  allow: []\n  allow: []\n", []string{
			`5:3: duplicate key "allow"; keep this one or the one on line 4`,
		}},
		{"a duplicate section", head + rule + "external_connections: {allow: []}\n", []string{
			`7:1: duplicate key "external_connections"; keep this one or the one on line 3`,
		}},
		{"no version and no limits", "external_connections: {allow: []}\n", []string{
			`1:1: the policy lacks "version"; add version: 1`,
			`1:1: the policy lacks "limits"; add limits: {count: 10, share: 10%}`,
		}},
		{"no count and no share", "version: 1\nlimits: {}\n", []string{
			`2:9: limits lacks "count"; add count: 10 (a whole number, 0 to 1000)`,
			`2:9: limits lacks "share"; add share: 10% (0% to 100%)`,
		}},
		{"no allow list", head + "external_connections: {waivers: []}\n", []string{
			`3:23: external_connections lacks "allow"; add a list of rules, or allow: [] to allow nothing`,
		}},
		{"a rule without its keys", head + "external_connections: {allow: [{}]}\n", []string{
			`3:32: external_connections.allow[0] lacks "repositories"; add repositories: ["corp/npm-store"]`,
			`3:32: external_connections.allow[0] lacks "connections"; add connections: ["public:npmjs"]`,
		}},
		{"a waiver without owner and expires", head + waiver, []string{
			`6:7: external_connections.waivers[0] lacks "owner"; add owner: "team-web@example.com"`,
			`6:7: external_connections.waivers[0] lacks "expires"; add expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z`,
		}},
		{"a waiver without reason", head + "external_connections:\n  allow: []\n  waivers:\n    - repositories: [corp/x]\n      connections: [public:pypi]\n      owner: a\n      expires: 2027-01-31\n", []string{
			`6:7: external_connections.waivers[0] lacks "reason"; add reason: "Why this is needed."`,
		}},

		// Values.
		{"another version", "version: 2\nlimits: {count: 1, share: 1%}\n", []string{
			"1:10: version 2 is not known; write version: 1",
		}},
		{"a quoted version", "version: \"1\"\nlimits: {count: 1, share: 1%}\n", []string{
			"1:10: version is text; write version: 1",
		}},
		{"a fractional version", "version: 1.0\nlimits: {count: 1, share: 1%}\n", []string{
			"1:10: version is a number; write version: 1",
		}},
		{"limits that are a number", "version: 1\nlimits: 10\n", []string{
			"2:9: limits is a number; write limits: {count: 10, share: 10%}",
		}},
		{"limits out of range", "version: 1\nlimits: {count: 1001, share: 101%}\n", []string{
			"2:17: limits.count 1001 is not a whole number from 0 to 1000; write count: 10 (a whole number, 0 to 1000)",
			`2:30: limits.share "101%" is not a percentage from 0% to 100%; write share: 10% (0% to 100%)`,
		}},
		{"limits below zero", "version: 1\nlimits: {count: -1, share: -1%}\n", []string{
			"2:17: limits.count -1 is not a whole number from 0 to 1000; write count: 10 (a whole number, 0 to 1000)",
			`2:28: limits.share "-1%" is not a percentage from 0% to 100%; write share: 10% (0% to 100%)`,
		}},
		{"limits in other notations", "version: 1\nlimits: {count: 010, share: 1e1%}\n", []string{
			"2:17: limits.count 010 is not a whole number from 0 to 1000; write count: 10 (a whole number, 0 to 1000)",
			`2:29: limits.share "1e1%" is not a percentage from 0% to 100%; write share: 10% (0% to 100%)`,
		}},
		{"a fractional count and a bare share", "version: 1\nlimits: {count: 1.5, share: 10}\n", []string{
			"2:17: limits.count is a number; write count: 10 (a whole number, 0 to 1000)",
			"2:29: limits.share is a number; write share: 10% (0% to 100%)",
		}},
		{"a count too long for a number", "version: 1\nlimits: {count: 99999999999999999999, share: 10}\n", []string{
			"2:17: limits.count is a number; write count: 10 (a whole number, 0 to 1000)",
			"2:46: limits.share is a number; write share: 10% (0% to 100%)",
		}},
		{"limits that are words", "version: 1\nlimits: {count: ten, share: ten}\n", []string{
			"2:17: limits.count is text; write count: 10 (a whole number, 0 to 1000)",
			`2:29: limits.share "ten" is not a percentage from 0% to 100%; write share: 10% (0% to 100%)`,
		}},
		{"a share that is only a sign", "version: 1\nlimits: {count: 1, share: \"%\"}\n", []string{
			`2:27: limits.share "%" is not a percentage from 0% to 100%; write share: 10% (0% to 100%)`,
		}},
		{"limits without values", "version: 1\nlimits: {count: , share: }\n", []string{
			"2:17: limits.count has no value; write count: 10 (a whole number, 0 to 1000)",
			"2:26: limits.share has no value; write share: 10% (0% to 100%)",
		}},
		{"null sections", "version:\nlimits:\nenforce_on:\nexternal_connections:\n", []string{
			"1:9: version has no value; write version: 1",
			"2:8: limits has no value; write limits: {count: 10, share: 10%}",
			`3:12: enforce_on has no value; write enforce_on: [{domains: ["dev-*"]}]`,
			"4:22: external_connections has no value; write external_connections: {allow: []}",
		}},
		{"a null list", allowing + "  waivers: ~\n", []string{
			"4:9: external_connections.allow has no value; write a list of rules, or allow: [] to allow nothing",
			"5:12: external_connections.waivers has no value; write a list of waivers, or remove the key",
		}},
		{"a mapping in place of a list", head + "external_connections:\n  allow: {}\n  waivers: none\n", []string{
			"4:10: external_connections.allow is a mapping; write a list of rules, or allow: [] to allow nothing",
			"5:12: external_connections.waivers is text; write a list of waivers, or remove the key",
		}},
		{"a list in place of a mapping", head + "external_connections: []\n", []string{
			"3:23: external_connections is a list; write external_connections: {allow: []}",
		}},
		{"null items", allowing + "    -\n    - repositories: [corp/x, ]\n      connections: [~]\n", []string{
			"5:6: external_connections.allow[0] has no value; write a list of rules, or allow: [] to allow nothing",
			`7:21: external_connections.allow[1].connections[0] has no value; write connections: ["public:npmjs"]`,
		}},
		{"items of another type", allowing + "    - repositories: [1, [corp/x]]\n      connections: [true, {}, 1.5, 2027-01-31]\n", []string{
			`5:22: external_connections.allow[0].repositories[0] is a number; write repositories: ["corp/npm-store"]`,
			`5:25: external_connections.allow[0].repositories[1] is a list; write repositories: ["corp/npm-store"]`,
			`6:21: external_connections.allow[0].connections[0] is true or false; write connections: ["public:npmjs"]`,
			`6:27: external_connections.allow[0].connections[1] is a mapping; write connections: ["public:npmjs"]`,
			`6:31: external_connections.allow[0].connections[2] is a number; write connections: ["public:npmjs"]`,
			`6:36: external_connections.allow[0].connections[3] is a date; write connections: ["public:npmjs"]`,
		}},
		{"text in place of a list", allowing + "    - repositories: corp/x\n      connections: public:npmjs\n", []string{
			`5:21: external_connections.allow[0].repositories is text; write repositories: ["corp/npm-store"]`,
			`6:20: external_connections.allow[0].connections is text; write connections: ["public:npmjs"]`,
		}},
		{"empty lists of patterns", allowing + "    - repositories: []\n      connections: []\n      accounts: []\n", []string{
			`5:21: external_connections.allow[0].repositories is an empty list; write repositories: ["corp/npm-store"]`,
			`6:20: external_connections.allow[0].connections is an empty list; write connections: ["public:npmjs"]`,
			`7:17: external_connections.allow[0].accounts is an empty list; write accounts: ["111122223333"] (in quotes)`,
		}},
		{"empty strings", allowing + "    - repositories: [\"\"]\n      connections: [\" \"]\n      reason: \"\"\n", []string{
			`5:22: external_connections.allow[0].repositories[0] is empty; write repositories: ["corp/npm-store"]`,
			`6:21: external_connections.allow[0].connections[0] is empty; write connections: ["public:npmjs"]`,
			`7:15: external_connections.allow[0].reason is empty; write reason: "Why this is needed."`,
		}},
		{"text that is too long", head + rule + "      reason: " + strings.Repeat("é", 501) + "\n", []string{
			"7:15: external_connections.allow[0].reason is longer than 500 characters; shorten it",
		}},
		{"an escaped control character", head + rule + "      reason: \"a\\0b\"\n", []string{
			"7:15: external_connections.allow[0].reason holds a line break or an invisible character; write one line; > before the text folds several into one",
		}},
		{"text of two lines", head + rule + "      reason: |\n        a\n        b\n", []string{
			"7:15: external_connections.allow[0].reason holds a line break or an invisible character; write one line; > before the text folds several into one",
		}},
		{"numbers for text", head + waiver + "      owner: 1\n      expires: 2027\n      id: true\n", []string{
			`9:14: external_connections.waivers[0].owner is a number; write owner: "team-web@example.com"`,
			"10:16: external_connections.waivers[0].expires is a number; write expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z",
			`11:11: external_connections.waivers[0].id is true or false; write id: npm-legacy (letters, digits, ".", "_" and "-", at most 64)`,
		}},

		// Patterns.
		{"a repository without its domain", allowing + "    - repositories: [npm-store, /x, x/, a/b/c]\n      connections: [public:npmjs]\n", []string{
			`5:22: pattern "npm-store" is not domain/repository; write both, with one slash, like repositories: ["corp/npm-store"]`,
			`5:33: pattern "/x" is not domain/repository; write both, with one slash, like repositories: ["corp/npm-store"]`,
			`5:37: pattern "x/" is not domain/repository; write both, with one slash, like repositories: ["corp/npm-store"]`,
			`5:41: pattern "a/b/c" is not domain/repository; write both, with one slash, like repositories: ["corp/npm-store"]`,
		}},
		{"a star across slashes", allowing + "    - repositories: [corp/**]\n      connections: [\"**\"]\n", []string{
			`5:22: ** in pattern "**"; write one *, which matches within one name and never across a slash`,
			`6:21: ** in pattern "**"; write one *, which matches within one name and never across a slash`,
		}},
		{"broken globs", allowing + "    - repositories: [\"corp/[\", \"corp[/]x\", 'corp/x\\']\n      connections: [\"public:[]\"]\n", []string{
			`5:22: bad pattern "["; close the [, with at least one character in it, and do not end in a backslash`,
			`5:32: bad pattern "corp["; close the [, with at least one character in it, and do not end in a backslash`,
			`5:44: bad pattern "x\\"; close the [, with at least one character in it, and do not end in a backslash`,
			`6:21: bad pattern "public:[]"; close the [, with at least one character in it, and do not end in a backslash`,
		}},
		{"characters that no name has", allowing + "    - repositories: [\"corp/n pm\", \"c\u043erp/npm\"]\n      connections: [\"public/npmjs\"]\n", []string{
			`5:22: pattern "n pm" holds a character that no name has; write letters, digits and ".", "_", "-", ":", with *, ? and [a-z] as wildcards`,
			`5:35: pattern "c\u043erp" holds a character that no name has; write letters, digits and ".", "_", "-", ":", with *, ? and [a-z] as wildcards`,
			`6:21: pattern "public/npmjs" holds a character that no name has; write letters, digits and ".", "_", "-", ":", with *, ? and [a-z] as wildcards`,
		}},

		// Accounts.
		{"unquoted account ids", head + rule + "      accounts: [111122223333, 012345670123, 098765432109, 1e11]\n", []string{
			`7:18: external_connections.allow[0].accounts[0] is a number; write accounts: ["111122223333"] (in quotes)`,
			`7:32: external_connections.allow[0].accounts[1] is a number; write accounts: ["111122223333"] (in quotes)`,
			`7:46: external_connections.allow[0].accounts[2] is a number; write accounts: ["111122223333"] (in quotes)`,
			`7:60: external_connections.allow[0].accounts[3] is a number; write accounts: ["111122223333"] (in quotes)`,
		}},
		{"account ids that are not 12 digits", head + rule + "      accounts: [\"1111-2222-3333\", \"11112222333\", \"11112222333\u0663\", \"*\"]\n", []string{
			`7:18: account id "1111-2222-3333" is not 12 digits; write accounts: ["111122223333"] (in quotes)`,
			`7:36: account id "11112222333" is not 12 digits; write accounts: ["111122223333"] (in quotes)`,
			`7:51: account id "11112222333\u0663" is not 12 digits; write accounts: ["111122223333"] (in quotes)`,
			`7:67: account id "*" is not 12 digits; write accounts: ["111122223333"] (in quotes)`,
		}},

		// enforce_on.
		{"enforce_on in the wrong shape", head + "enforce_on: {domains: [dev]}\n" + rule, []string{
			`3:13: enforce_on is a mapping; write enforce_on: [{domains: ["dev-*"]}]`,
		}},
		{"an area of nothing", head + "enforce_on: [{}]\n" + rule, []string{
			`3:14: enforce_on[0] has neither domains nor accounts; write enforce_on: [{domains: ["dev-*"]}]`,
		}},
		{"broken areas", head + "enforce_on:\n  - domains: []\n  - accounts: [1]\n  - domain: [dev]\n  - domains: [dev/x]\n  - dev\n" + rule, []string{
			`4:14: enforce_on[0].domains is an empty list; write domains: ["dev-*"]`,
			`5:16: enforce_on[1].accounts[0] is a number; write accounts: ["111122223333"] (in quotes)`,
			`6:5: unknown key "domain"; write "domains"`,
			`7:15: pattern "dev/x" holds a character that no name has; write letters, digits and ".", "_", "-", ":", with *, ? and [a-z] as wildcards`,
			`8:5: enforce_on[4] is text; write enforce_on: [{domains: ["dev-*"]}]`,
		}},

		// Waivers.
		{"unreadable dates", head + waiver + "      owner: a\n      expires: 2027-1-31\n" + another + "      owner: a\n      expires: 31.01.2027\n", []string{
			`10:16: external_connections.waivers[0].expires "2027-1-31" is not a date; write expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z`,
			`15:16: external_connections.waivers[1].expires "31.01.2027" is not a date; write expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z`,
		}},
		{"a day that does not exist", head + waiver + "      owner: a\n      expires: 2027-02-30\n", []string{
			`10:16: external_connections.waivers[0].expires "2027-02-30" is not a date; write expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z`,
		}},
		{"a time without its zone", head + waiver + "      owner: a\n      expires: 2027-01-31T12:00:00\n", []string{
			`10:16: external_connections.waivers[0].expires "2027-01-31T12:00:00" is not a date; write expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z`,
		}},
		{"the moment that stands for no time", head + waiver + "      owner: a\n      expires: 0000-12-31\n" + another + "      owner: a\n      expires: 0001-01-01T00:00:00Z\n", []string{
			`10:16: external_connections.waivers[0].expires "0000-12-31" is not a date; write expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z`,
			`15:16: external_connections.waivers[1].expires "0001-01-01T00:00:00Z" is not a date; write expires: 2027-01-31 (holds through that day, UTC) or 2027-01-31T12:00:00Z`,
		}},
		{"a duplicate waiver id", head + waiver + "      owner: a\n      expires: 2027-01-31\n      id: x\n" + another + "      owner: a\n      expires: 2027-01-31\n      id: x\n", []string{
			`17:11: external_connections.waivers[1].id "x" is already taken on line 11; choose another`,
		}},
		{"ids that are not short names", head + waiver + "      owner: a\n      expires: 2027-01-31\n      id: external_connections.waivers[0]\n", []string{
			`11:11: external_connections.waivers[0].id "external_connections.waivers[0]" is not a short name; write id: npm-legacy (letters, digits, ".", "_" and "-", at most 64)`,
		}},
		{"an id that is too long", head + waiver + "      owner: a\n      expires: 2027-01-31\n      id: " + strings.Repeat("x", 65) + "\n", []string{
			`11:11: external_connections.waivers[0].id "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" is not a short name; write id: npm-legacy (letters, digits, ".", "_" and "-", at most 64)`,
		}},
		{"an id that is empty, twice", head + waiver + "      owner: a\n      expires: 2027-01-31\n      id: \"\"\n" + another + "      owner: a\n      expires: 2027-01-31\n      id: \"\"\n", []string{
			`11:11: external_connections.waivers[0].id is empty; write id: npm-legacy (letters, digits, ".", "_" and "-", at most 64)`,
			`17:11: external_connections.waivers[1].id is empty; write id: npm-legacy (letters, digits, ".", "_" and "-", at most 64)`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := parseAndHold(t, test.text)
			var problems policy.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %v, want Problems", err)
			}
			if p != nil {
				t.Error("there is a policy beside the error")
			}
			want := "policy.yaml:" + strings.Join(test.want, "\npolicy.yaml:")
			if diff := cmp.Diff(want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
