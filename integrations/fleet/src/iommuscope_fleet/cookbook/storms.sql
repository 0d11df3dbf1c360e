-- SPDX-License-Identifier: Apache-2.0
-- Whose crash kernels would storm?
SELECT file, release, crashKernel.faulting AS faulting_devices, crashKernel.answer AS crash_kernel,
       crashKernel.verdict AS verdict, crashKernel.concerns AS concerns
FROM dumps
WHERE crashKernel.faulting > 0
ORDER BY faulting_devices DESC, file;
