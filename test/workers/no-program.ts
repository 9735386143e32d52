/** Not made by `defineWorker`. */
export default function program(): number {
  return 1;
}
