// Plays what the control loops do with the SDK for JavaScript, and prints one line of JSON for each step. The expectations
// are in javascript_test.go. Endpoint, Region and credentials come from the environment.

import * as codeartifact from "@aws-sdk/client-codeartifact";
import * as proton from "@aws-sdk/client-proton";

const packages = new codeartifact.Codeartifact({ maxAttempts: 1 });
const connections = new proton.Proton({ maxAttempts: 1 });
const corp = { domain: "corp", domainOwner: process.env.OWNER };

async function step(name, what) {
  let said;
  try {
    said = await what();
  } catch (error) {
    // The class is the SDK's own, which it chooses by the code of the answer.
    said = { error: error.name, class: error.constructor.name, status: error.$metadata?.httpStatusCode };
  }
  console.log(JSON.stringify({ step: name, said }));
}

async function all(paginator, pick) {
  const pages = [];
  for await (const page of paginator) pages.push(pick(page));
  return pages;
}

// A paginator writes its token into the input that it gets, so each gets one of its own.
const store = { ...corp, repository: "store" };
const told = ({ repository: r }) => [r.name, r.externalConnections, r.upstreams, r.createdTime instanceof Date];

await step("domains", async () => (await packages.listDomains({})).domains.map((d) => [d.name, d.status]));
await step("repositories, by pages", () =>
  all(codeartifact.paginateListRepositoriesInDomain({ client: packages, pageSize: 2 }, { ...corp }), (p) => p.repositories.map((r) => r.name)));
await step("describe", async () => told(await packages.describeRepository(store)));
await step("associate", async () => told(await packages.associateExternalConnection({ ...store, externalConnection: "public:npmjs" })));
await step("associate a second", () => packages.associateExternalConnection({ ...store, externalConnection: "public:pypi" }));
await step("disassociate", async () => told(await packages.disassociateExternalConnection({ ...store, externalConnection: "public:npmjs" })));
await step("disassociate again", () => packages.disassociateExternalConnection({ ...store, externalConnection: "public:npmjs" }));
await step("describe what is not there", () => packages.describeRepository({ ...corp, repository: "nowhere" }));

const group = { ...corp, packageGroup: "/npm/acme/*" };
await step("create a group", async () => (await packages.createPackageGroup({ ...group, tags: [{ key: "team", value: "web" }] })).packageGroup.parent);
await step("block", async () => {
  const { packageGroup: g } = await packages.updatePackageGroupOriginConfiguration({ ...group, restrictions: { PUBLISH: "BLOCK" } });
  return Object.entries(g.originConfiguration.restrictions).map(([k, r]) => [k, r.mode, r.effectiveMode, r.inheritedFrom?.pattern ?? null]).sort();
});
await step("groups, by pages", () =>
  all(codeartifact.paginateListPackageGroups({ client: packages, pageSize: 1 }, { ...corp }), (p) => p.packageGroups.map((g) => g.pattern)));
await step("associated packages", () =>
  all(codeartifact.paginateListAssociatedPackages({ client: packages }, { ...group }), (p) => p.packages));
await step("the group of a package", async () => {
  const a = await packages.getAssociatedPackageGroup({ ...corp, format: "npm", namespace: "Acme", package: "ui" });
  return [a.packageGroup.pattern, a.associationType];
});
await step("its tags", async () => {
  const { packageGroup: g } = await packages.describePackageGroup(group);
  return (await packages.listTagsForResource({ resourceArn: g.arn })).tags;
});
await step("delete the group", async () => (await packages.deletePackageGroup(group)).packageGroup.pattern);
await step("delete it again", () => packages.deletePackageGroup(group));
await step("delete the root", () => packages.deletePackageGroup({ ...corp, packageGroup: "/*" }));

const mine = { requestedBy: "MANAGEMENT_ACCOUNT", statuses: ["PENDING"] };
let pending = [];
await step("requests, by pages", async () => {
  const pages = await all(proton.paginateListEnvironmentAccountConnections({ client: connections, pageSize: 1 }, { ...mine }), (p) => p.environmentAccountConnections);
  pending = pages.flat();
  return pages.map((p) => p.map((c) => [c.environmentName, c.status, c.requestedAt instanceof Date]));
});
await step("reject", async () => (await connections.rejectEnvironmentAccountConnection({ id: pending[0].id })).environmentAccountConnection.status);
await step("reject again", () => connections.rejectEnvironmentAccountConnection({ id: pending[0].id }));
await step("reject what is not there", () => connections.rejectEnvironmentAccountConnection({ id: "00000000-0000-4000-8000-00000000ffff" }));
await step("requests that it made itself", async () =>
  (await connections.listEnvironmentAccountConnections({ requestedBy: "ENVIRONMENT_ACCOUNT" })).environmentAccountConnections.map((c) => c.environmentName));
await step("delete", async () => {
  const own = (await connections.listEnvironmentAccountConnections({ requestedBy: "ENVIRONMENT_ACCOUNT" })).environmentAccountConnections[0];
  const deleted = await connections.deleteEnvironmentAccountConnection({ id: own.id });
  const again = await connections.deleteEnvironmentAccountConnection({ id: own.id });
  return [deleted.environmentAccountConnection.environmentName, again.environmentAccountConnection ?? null];
});
