/* SPDX-License-Identifier: Apache-2.0 */
/* A second unit, with names that the first one declares or uses otherwise; see README.md. */

struct elsewhere { long before; int found; };
struct irte { unsigned long long low, high; };
struct pci_dev { unsigned char devfn; };
struct intel_iommu;
struct qi_desc;

static volatile int identity_domain = 2;
struct elsewhere elsewhere;
struct irte table[2];
struct pci_dev device;
struct intel_iommu *unit;
int other(struct qi_desc *desc) { return identity_domain + (desc != 0); }
