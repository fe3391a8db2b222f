import { defineConfig } from "vitest/config";

export default defineConfig({
  build: {
    lib: {
      entry: "src/index.tsx",
      formats: ["es"],
      fileName: () => "stepper.js",
      cssFileName: "stepper",
    },
    outDir: "../smithers_nb/notebook/static",
    // The folder belongs to the Python package: the build replaces its two files and removes nothing.
    emptyOutDir: false,
    // light-dark() and container queries stay as written.
    target: "es2022",
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    minify: true,
    // In lib mode vite keeps the whitespace of ES modules: nobody bundles this one any further.
    rolldownOptions: { output: { minify: true } },
    sourcemap: false,
    reportCompressedSize: true,
  },
  define: { "process.env.NODE_ENV": '"production"' },
  test: { include: ["tests/**/*.test.{ts,tsx}"] },
});
