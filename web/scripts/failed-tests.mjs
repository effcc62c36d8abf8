/** A vitest reporter: names each failed test in one line at the very end, where the tail of a long log still shows it. */
export default class FailedTests {
  onTestRunEnd(modules) {
    for (const module of modules) {
      for (const test of module.children.allTests('failed')) {
        for (const error of test.result().errors) process.stderr.write(`failed: ${module.relativeModuleId} > ${test.fullName}: ${error.message.split('\n')[0]}\n`);
      }
      for (const error of module.errors()) process.stderr.write(`failed: ${module.relativeModuleId}: ${error.message.split('\n')[0]}\n`);
    }
  }
}
