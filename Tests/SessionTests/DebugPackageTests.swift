// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Session

struct DebugPackageTests {
  @Test(arguments: [
    ("5.10.0-32-amd64", "linux-image-5.10.0-32-amd64-dbg"),
    ("7.3.4+deb13-amd64", "linux-image-7.3.4+deb13-amd64-dbg"),
    ("6.1.0-56-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64-dbg"),
    ("3.10.0-1160.el7.x86_64", "kernel-debuginfo-3.10.0-1160.el7.x86_64"),
    ("4.18.0-147.8.1.el8_1.x86_64", "kernel-debuginfo-4.18.0-147.8.1.el8_1.x86_64"),
    ("6.9.7-200.fc40.x86_64", "kernel-debuginfo-6.9.7-200.fc40.x86_64"),
    ("5.4.17-2136.300.7.el8uek.x86_64", "kernel-uek-debuginfo-5.4.17-2136.300.7.el8uek.x86_64"),
    ("5.3.18-150300.59.93-default", "kernel-default-debuginfo"),
    ("6.4.0-150600.8.5-azure", "kernel-azure-debuginfo"),
    ("5.15.0-1041-azure", "linux-image-unsigned-5.15.0-1041-azure-dbgsym"),
    ("5.4.0-42-generic", "linux-image-unsigned-5.4.0-42-generic-dbgsym"),
  ]) func everyDistribution(_ release: String, _ package: String) {
    #expect(DebugPackage.name(for: release) == package)
  }

  @Test(arguments: [
    "5.4.286", "6.9.7-arch1-1", "", "-", "--", "5.4.0-42-", "5.4.0--generic", "x; rm -rf-amd64",
    "5.4\u{1b}[1m-amd64", "6.6.0-lab",
  ]) func nothingIsGuessed(_ release: String) {
    #expect(DebugPackage.name(for: release) == nil)
  }
}
